from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from unblemish.errors import UserError
from unblemish.examination import classifier
from unblemish.examination.knowledge import Knowledge
from unblemish.networks.lira import Lira
from unblemish.networks.loading import load_described
from unblemish.pictures.reading import read
from unblemish.restoration import group_training
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group
from unblemish.restoration.errors import BundleError, RestorationError
from unblemish.restoration.examining import load_examiner
from unblemish.restoration.group_training import BuildStoppedError, train_through
from unblemish.restoration.growable import find_growable
from unblemish.restoration.growing import grow
from unblemish.restoration.growth_check import GrowthRefusedError
from unblemish.restoration.growth_recipe import GrowthPlan, NewDamage, base_recipe, folders_of_pairs, write_default
from unblemish.restoration.listening import Listener
from unblemish.restoration.restorer import Restorer
from unblemish.training import run as training_run
from unblemish.training.callbacks import Callback
from unblemish.training.recipe import Recipe

TINY = (
    *("data.patch=32", "data.scales=[1.0]", "batch=2", "validation.crop=48", "validation.pictures=2", "save_every=1"),
    *("precision=32-true", "lifelong.ratio=0"),
)

opened: list[Path] = []
"""Pictures that were opened while `watching` was set."""
watching: list[bool] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event == "open" and str(arguments[0]).endswith(".png"):
        opened.append(Path(os.fsdecode(arguments[0])))


sys.addaudithook(_note)


@pytest.fixture(autouse=True, scope="module")
def quick(one_thread: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 20)
        yield


def plan_of(bundle: Path, damage: NewDamage, folder: Path, *changes: str) -> tuple[GrowthPlan, Bundle]:
    """A growth of a few steps, whose runs are to be in a folder, and the bundle that grows."""
    loaded = Bundle.load(bundle)
    able = find_growable(loaded)
    old = able.write(folder / "runs/old")
    write_default(folder / "recipe.yaml", able, old, damage, steps=3, warmup=2)
    recipe = base_recipe(folder / "recipe.yaml", able, old, damage, overrides=[*TINY, *changes])
    plan = GrowthPlan(damage, recipe, warmup=2, replay_steps=2, licence="CC0-1.0", accelerator="cpu")
    return plan, loaded


@dataclass(frozen=True)
class Grown:
    """A growth that was carried out: what it was of, what it gave, and which pictures it opened."""

    plan: GrowthPlan
    old: Bundle
    before: bytes
    bundle: Bundle
    runs: Path
    opened: list[Path]


@pytest.fixture(scope="module")
def grown(growable: Path, many_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder, before = tmp_path_factory.mktemp("grown"), growable.read_bytes()
    plan, old = plan_of(growable, NewDamage(("haze",), many_photos), folder)
    watching.append(True)
    try:
        built = grow(plan, old, folder / "grown.bundle", folder / "runs")
    finally:
        watching.clear()
    return Grown(plan, old, before, built, folder / "runs", opened[:])


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stage of every training that is begun."""
    begun: list[str] = []

    def counted(recipe: Recipe, folder: Path, **options):
        begun.append(folder.name.rpartition("-")[0].replace("-", " "))
        return training_run.train(recipe, folder, **options)

    monkeypatch.setattr(group_training, "train", counted)
    return begun


@pytest.fixture
def paired(many_photos: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A darker copy of each photograph, and the photographs."""
    damaged, clean = tmp_path / "set/degraded", tmp_path / "set/clean"
    shutil.copytree(many_photos, clean)
    damaged.mkdir()
    for path in clean.iterdir():
        Image.open(path).point([value // 2 + 20 for value in range(256)] * 3).save(damaged / path.name)
    return damaged, clean


def test_a_bundle_learns_a_damage(grown: Grown, many_photos: Path) -> None:
    bundle = grown.bundle
    assert [part.problems for part in bundle.verify() if part.problems] == []
    assert bundle.groups == (*grown.old.groups, Group(name="haze", degradations=("haze",), network="haze"))
    assert bundle.manifest.default == grown.old.manifest.default
    mix, new = bundle.entry("mix"), bundle.entry("haze")
    assert mix.sha256 == new.sha256
    assert (mix.options["grown"], mix.options["task"]) == (1, 0)
    assert (new.options["grown"], new.options["task"]) == (1, 1)
    assert [entry.name for entry in bundle.manifest.generators] == ["mix", "haze"]
    assert bundle.generator("haze").parameter_count == bundle.generator("mix").parameter_count
    examination = load_examiner(bundle).examine(read(many_photos / "0.png"))
    assert examination.probabilities.keys() == {"clean", "mix", "noise", "haze", "unknown"}
    restored = Restorer(bundle, device="cpu", group="haze").restore(read(many_photos / "0.png"))
    assert restored.pixels.shape == (72, 72, 3)


def test_damage_of_whole_pictures_may_take_tones_from_a_copy(
    growable: Path, many_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[Path], tuple[str, ...]]] = []

    def choose(network: Lira, photographs: list[Path], damage: tuple[str, ...], *rest: object) -> int:
        asked.append((photographs, damage))
        return 40

    monkeypatch.setattr("unblemish.restoration.grown_cards.choose_overview", choose)
    plan, old = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path)
    built = grow(plan, old, tmp_path / "grown.bundle", tmp_path / "runs")
    ((held_out, damage),) = asked
    assert damage == ("haze",)
    assert {path.parent for path in held_out} == {many_photos}
    assert [built.entry(name).overview for name in ("mix", "haze")] == [None, 40]
    assert not NewDamage(("rain",), many_photos).of_whole_pictures


def test_what_it_knew_stays(grown: Grown) -> None:
    """At ratio 0 to the last bit; networks that cannot grow always."""
    assert grown.old.path.read_bytes() == grown.before
    old, new = grown.old, grown.bundle
    assert new.blob(new.entry("noise")) == old.blob(old.entry("noise"))
    assert new.entry("noise") == old.entry("noise")
    assert [new.blob(one) for one in new.manifest.generators][:1] == [old.blob(one) for one in old.manifest.generators]
    x = torch.rand((1, 3, 40, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(new.network("mix")(x), old.network("mix")(x))
        assert not torch.equal(new.network("haze")(x), old.network("mix")(x))


def test_only_new_pictures_are_opened(grown: Grown, many_photos: Path) -> None:
    assert {path.parent for path in grown.opened} == {many_photos}
    assert len({*grown.opened}) == 12


def test_cards_state_what_is_true(grown: Grown) -> None:
    old, mix, new = grown.old.entry("mix"), grown.bundle.entry("mix"), grown.bundle.entry("haze")
    for key in ("name", "purpose", "treats", "architecture", "tile_margin", "steps"):
        assert getattr(mix, key) == getattr(old, key)
    assert mix.licence == new.licence == "MIT; since it grew: CC0-1.0"
    assert mix.recipe == "drawn; grown by haze: unblemish grow, 3 steps, old weights at 0 of the rate"
    assert mix.training_set.startswith("none; then, without these, 12 photographs of a folder 'new'")
    assert mix.scores["psnr/before"] == 20.0
    assert mix.scores["psnr_replayed/before"] == mix.scores["psnr_replayed/after"]
    assert "scores other than psnr_replayed are from before the network grew" in mix.protocol
    assert new.scores.keys() == {"psnr/haze", "psnr_gain/validation"}
    assert "started from the network 'mix' (licence MIT; trained on none)" in new.training_set
    generator = grown.bundle.manifest.generators[-1]
    assert generator.treats == ("haze",)
    assert generator.scores.keys() >= {"psnr/damage", "psnr/real_damage"}
    assert generator.licence == "CC0-1.0"
    assert str(grown.runs.parent) not in grown.bundle.manifest.model_dump_json()


def test_a_stopped_growth_goes_on_to_the_same_bundle(grown: Grown, tmp_path: Path, trainings: list[str]) -> None:
    class Interrupted(Callback):
        """Ctrl-C in the joint training, the only one of three steps."""

        def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
            self.last = steps == 3

        def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
            if self.last and step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    out, runs = tmp_path / "again.bundle", tmp_path / "runs"
    damage = grown.plan.damage
    plan, bundle = plan_of(grown.old.path, damage, tmp_path)
    message = "stopped in the joint training of haze after 2 of 3 steps; the same command goes on"
    with pytest.raises(BuildStoppedError, match=message):
        grow(plan, bundle, out, runs, Listener(callbacks=lambda: [Interrupted()]))
    assert trainings == ["warm up", "joint training"]
    assert not out.exists()
    trainings.clear()
    grow(plan, bundle, out, runs)
    assert trainings == ["joint training", "training of the generator"]
    assert out.read_bytes() == grown.bundle.path.read_bytes()
    trainings.clear()
    said: list[str] = []
    plan = replace(plan, licence="MIT")
    more = grow(plan, bundle, tmp_path / "more.bundle", runs, Listener(said.append))
    assert trainings == []
    assert f"calibration: read from {runs / 'calibration'}" in said
    assert more.entry("haze").licence == "MIT"
    assert more.blob(more.entry("haze")) == grown.bundle.blob(grown.bundle.entry("haze"))


def test_weights_are_written_after_a_kill_before_them(grown: Grown) -> None:
    (folder,) = grown.runs.glob("warm-up-*")
    written = load_described(folder / "final.safetensors").state_dict()
    (folder / "final.safetensors").unlink()
    recipe = Recipe.parse(torch.load(folder / "last.ckpt", weights_only=False)["recipe"], "recipe")
    train_through(recipe, folder, "cpu", title="warm-up", command="test")
    again = load_described(folder / "final.safetensors").state_dict()
    assert all(torch.equal(value, written[key]) for key, value in again.items())


@pytest.mark.slow
def test_pairs_then_two_more_growths(
    growable: Path, paired: tuple[Path, Path], many_photos: Path, tmp_path: Path
) -> None:
    """Later growths have no pictures of what the pairs showed: its generator replays them for the examiner, too."""
    damage = NewDamage(("moire",), *folders_of_pairs(*paired), everywhere=True)
    plan, bundle = plan_of(growable, damage, tmp_path / "a")
    first = grow(plan, bundle, tmp_path / "first.bundle", tmp_path / "a/runs")
    assert first.entry("moire").scores.keys() == {"psnr/moire", "psnr_gain/validation"}
    assert first.entry("moire").training_set.startswith("12 pairs of the folders 'degraded' and 'clean'")
    shutil.rmtree(tmp_path / "set")
    plan, bundle = plan_of(first.path, NewDamage(("darkness", "rain"), many_photos), tmp_path / "b")
    second = grow(plan, bundle, tmp_path / "second.bundle", tmp_path / "b/runs")
    plan, bundle = plan_of(second.path, NewDamage(("haze",), many_photos), tmp_path / "c")
    said: list[str] = []
    third = grow(plan, bundle, tmp_path / "third.bundle", tmp_path / "c/runs", Listener(said.append))
    assert [line for line in said if line.startswith("replaying")] == ["replaying moire on 12 photographs"]
    assert len([line for line in said if "on replayed pictures: " in line]) == 3
    assert [part.problems for part in third.verify() if part.problems] == []
    scenes = [Knowledge.from_parts(*one.knowledge()).settings.rest for one in (first, second, third)]
    assert scenes == [{"moire": "clean"}, {"moire": "clean"}, {"moire": "clean", "haze": "clean"}]
    able = find_growable(third)
    assert [entry.name for entry in able.tasks] == ["mix", "moire", "darkness", "haze"]
    assert [entry.options["task"] for entry in able.tasks] == [0, 1, 2, 3]
    assert able.tasks[2].treats == ("darkness", "rain")
    mix = able.tasks[0]
    assert mix.licence == "MIT; since it grew: CC0-1.0"
    assert [entry.protocol.count("psnr_replayed: ") for entry in able.tasks] == [1, 1, 1, 0]
    assert mix.recipe.count("grown by") == 3
    assert "psnr_replayed/after" not in able.tasks[-1].scores
    _answers_alike([Bundle.load(growable), first, second, third])


def _answers_alike(sequence: Sequence[Bundle]) -> None:
    """At ratio 0 each bundle restores with older networks as the one before did, to the last bit, and replays alike."""
    x = torch.rand((1, 3, 40, 40), generator=torch.Generator().manual_seed(0))
    for old, new in pairwise(sequence):
        with torch.inference_mode():
            for entry in find_growable(old).tasks:
                assert torch.equal(new.network(entry.name)(x), old.network(entry.name)(x))
        assert new.manifest.generators[:-1] == old.manifest.generators


def test_a_network_that_forgets_is_refused(
    growable: Path, many_photos: Path, tmp_path: Path, trainings: list[str]
) -> None:
    changes = ("lifelong.ratio=1", "lifelong.old_weight=0", "optimiser.rate=0.02", "optimiser.weight_decay=10", "ema=0")
    plan, bundle = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path, *changes)
    for _ in range(2):
        with pytest.raises(GrowthRefusedError, match=r"forgets more than 0.1 dB.*mix .* Lower lifelong.ratio.*was 1"):
            grow(replace(plan, tolerance=0.1), bundle, tmp_path / "out.bundle", tmp_path / "runs")
    assert trainings == ["warm up", "joint training"]
    assert not (tmp_path / "out.bundle").exists()
    (joint,) = (tmp_path / "runs").glob("joint-training-*")
    assert isinstance(load_described(joint / "best.safetensors"), Lira)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("gaussian_noise",), "knows gaussian_noise already, by the group 'noise': `unblemish restore` treats it"),
        (("haze", "mild_blend"), "knows mild_blend already"),
        (("hase",), "no degradation is called 'hase'"),
        (("haze", "haze"), "named twice"),
    ],
)
def test_damage_is_checked_first(
    growable: Path, many_photos: Path, tmp_path: Path, names: tuple[str, ...], said: str, trainings: list[str]
) -> None:
    plan, bundle = plan_of(growable, NewDamage(names, many_photos), tmp_path)
    with pytest.raises(UserError, match=said):
        grow(plan, bundle, tmp_path / "out.bundle", tmp_path / "other")
    assert trainings == []
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("mix",), "has a part called 'mix'"),
        (("unknown",), "damage cannot be called 'unknown'"),
        (("Moire",), "damage cannot be called 'Moire'"),
        (("moire", "dust"), r"one kind of damage, not moire \+ dust"),
        (("rain",), r"'rain' is damage that unblemish makes: give that of pairs another name, such as 'real_rain'"),
    ],
)
def test_names_of_pairs(
    growable: Path, paired: tuple[Path, Path], tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    plan, bundle = plan_of(growable, NewDamage(names, *folders_of_pairs(*paired)), tmp_path)
    with pytest.raises(UserError, match=said):
        grow(plan, bundle, tmp_path / "out.bundle", tmp_path / "other")


def test_the_output_is_checked_first(growable: Path, many_photos: Path, tmp_path: Path) -> None:
    plan, bundle = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path)
    with pytest.raises(BundleError, match="is the bundle that grows"):
        grow(plan, bundle, growable, tmp_path / "other")
    thesis = tmp_path / "thesis.doc"
    thesis.write_text("years of work")
    with pytest.raises(BundleError, match="no packed bundle"):
        grow(plan, bundle, thesis, tmp_path / "other")
    assert thesis.read_text() == "years of work"


def test_a_plan_with_other_pictures_is_refused(growable: Path, many_photos: Path, tmp_path: Path) -> None:
    plan, bundle = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path)
    part = plan.part.model_copy(update={"old_folder": tmp_path})
    wrong = replace(plan, recipe=plan.recipe.model_copy(update={"lifelong": part}))
    with pytest.raises(RestorationError, match="on the new pictures alone"):
        grow(wrong, bundle, tmp_path / "out.bundle", tmp_path / "other")
    part = plan.part.model_copy(update={"old": tmp_path / "network-000000000000.safetensors"})
    wrong = replace(plan, recipe=plan.recipe.model_copy(update={"lifelong": part}))
    with pytest.raises(RestorationError, match="made for another bundle"):
        grow(wrong, bundle, tmp_path / "out.bundle", tmp_path / "other")


def test_unknown_damage_needs_a_generator(growable: Path, many_photos: Path, tmp_path: Path) -> None:
    plan, bundle = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path)
    parts = [(entry.model_copy(update={"treats": ()}), bundle.blob(entry)) for entry in bundle.manifest.networks]
    examination = bundle.manifest.examination
    assert examination is not None
    odd = Bundle.write(
        tmp_path / "odd",
        parts,
        groups=[Group(name="noise", degradations=("fog_of_war",), network="noise")],
        examination=(
            (examination.descriptor, bundle.blob(examination.descriptor)),
            (examination.knowledge, bundle.blob(examination.knowledge)),
        ),
        generators=[(entry, bundle.blob(entry)) for entry in bundle.manifest.generators],
    )
    with pytest.raises(BundleError, match="the group 'noise' treats 'fog_of_war', which is not among the known"):
        grow(plan, odd, tmp_path / "out.bundle", tmp_path / "other")


def test_recipes_are_read_before_any_training(
    growable: Path, many_photos: Path, tmp_path: Path, trainings: list[str]
) -> None:
    plan, bundle = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path, "data.patch=16")
    with pytest.raises(RestorationError, match=r"data.patch=16 is too small for the generator: give 24"):
        grow(plan, bundle, tmp_path / "out.bundle", tmp_path / "runs")
    plan, bundle = plan_of(growable, NewDamage(("haze",), many_photos), tmp_path, "optimiser.warmup=2")
    with pytest.raises(UserError, match=r"the warm-up: optimiser.warmup|the warm-up: .*optimiser.warmup \(2\)"):
        grow(plan, bundle, tmp_path / "out.bundle", tmp_path / "runs")
    assert trainings == []
