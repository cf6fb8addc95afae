from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from unblemish.errors import UserError
from unblemish.examination import classifier
from unblemish.examination.errors import ExaminationError
from unblemish.examination.similarity import SimilarityMatrix
from unblemish.grouping import candidate
from unblemish.grouping.problem import Partition
from unblemish.grouping.trained_oracle import TrainedOracle
from unblemish.networks.catalogue import create
from unblemish.networks.loading import save_weights
from unblemish.pictures.reading import read
from unblemish.restoration import building, examiner_building, group_training
from unblemish.restoration.building import Descriptor, Listener, build, descriptor_from, descriptor_of
from unblemish.restoration.building_recipe import Plan, base_recipe, start_from, write_default
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkCard
from unblemish.restoration.errors import BundleError
from unblemish.restoration.examining import load_examiner
from unblemish.restoration.restorer import Restorer
from unblemish.training import run as training_run
from unblemish.training.recipe import Recipe

NAMES = ("jpeg", "gaussian_noise")
STATED = {"licence": "MIT", "training_set": "generated", "recipe": "test"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of 160 px; their names fall into all folds."""
    folder = tmp_path_factory.mktemp("machine") / "photos"
    folder.mkdir()
    for number in range(12):
        coarse = np.random.default_rng(number).integers(256, size=(20, 20, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((160, 160), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def descriptor() -> Descriptor:
    torch.manual_seed(0)
    options = {"blocks": 1, "width": 4}
    network = create("srresnet_x4_compact", options).eval()
    card = NetworkCard(
        name="descriptor", purpose="describes", architecture="srresnet_x4_compact", options=options, **STATED
    ).model_copy(update={"scores": {"psnr/x4": 20.0}, "protocol": "none"})
    return Descriptor(network, card, network.state_dict())


@pytest.fixture
def plan(photos: Path, tmp_path: Path) -> Plan:
    write_default(tmp_path / "recipe.yaml", photos, steps=3, budget=2)
    changes = ["network.name=srresnet", "network.options={blocks: 1, width: 4}", "data.patch=32", "batch=2"]
    changes += ["validation.crop=64", "precision=32-true"]
    recipe = base_recipe(tmp_path / "recipe.yaml", photos, NAMES, overrides=changes)
    return Plan(recipe, budget=2, threshold=99, patches=12, reduction=1, licence="CC0-1.0", accelerator="cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS", 20)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The degradations of every training that is begun."""
    begun: list[tuple[str, ...]] = []

    def counted(recipe: Recipe, *arguments, **options):
        begun.append(recipe.degradations.names)
        return training_run.train(recipe, *arguments, **options)

    for module in (candidate, group_training):
        monkeypatch.setattr(module, "train", counted)
    return begun


def listened(said: list[str]) -> Listener:
    return Listener(said.append)


def test_a_bundle_that_examines_and_restores(
    plan: Plan, descriptor: Descriptor, photos: Path, tmp_path: Path, trainings: list[tuple[str, ...]]
) -> None:
    out, runs = tmp_path / "my.bundle", tmp_path / "runs"
    built = build(plan, descriptor, out, runs)
    assert trainings == [("jpeg",), ("gaussian_noise",), NAMES, NAMES]
    assert [part.problems for part in built.verify() if part.problems] == []
    (group,) = built.groups
    assert (group.name, group.degradations) == ("jpeg-gaussian_noise", NAMES)
    card = built.entry(group.network)
    assert card.licence == "CC0-1.0"
    assert card.training_set == "12 photographs of a folder 'photos', whose licence is not stated"
    assert card.scores.keys() == {"psnr/jpeg", "psnr/gaussian_noise", "psnr_gain/validation"}
    assert card.protocol.startswith("validation of the training: ")
    assert card.tile_margin is not None
    assert str(tmp_path) not in built.manifest.model_dump_json()
    examination = load_examiner(out).examine(read(photos / "0.png"))
    assert examination.probabilities.keys() == {"clean", group.name, "unknown"}
    restored = Restorer(out, device="cpu", group=group.name).restore(read(photos / "0.png"))
    assert restored.pixels.shape == (160, 160, 3)


def test_a_network_goes_on_from_its_candidate(
    plan: Plan, descriptor: Descriptor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path | None] = []

    def noted(recipe: Recipe, *arguments, **options):
        started.append(recipe.network.start)
        raise UserError("that is enough")

    monkeypatch.setattr(group_training, "train", noted)
    with pytest.raises(UserError, match="that is enough"):
        build(plan, descriptor, tmp_path / "my.bundle", tmp_path / "runs")
    (start,) = started
    assert start is not None
    assert start.is_relative_to(tmp_path / "runs/candidates")
    assert load_file(start).keys() == create("srresnet", plan.recipe.network.options).state_dict().keys()


def test_an_interrupted_build_repeats_nothing(
    plan: Plan,
    descriptor: Descriptor,
    tmp_path: Path,
    trainings: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, runs = tmp_path / "my.bundle", tmp_path / "runs"
    carry_out, calibrate = building.carry_out, examiner_building.calibrate

    def apart(matrix: SimilarityMatrix, oracle: TrainedOracle, *arguments) -> Partition:
        oracle.scores([("jpeg",), ("gaussian_noise",)])
        return ("jpeg",), ("gaussian_noise",)

    monkeypatch.setattr(building, "find_groups", apart)

    def fails_at_the_second(recipe: Recipe, *arguments, **options):
        if recipe.degradations.names == ("gaussian_noise",):
            raise UserError("power failure")
        return carry_out(recipe, *arguments, **options)

    monkeypatch.setattr(building, "carry_out", fails_at_the_second)
    with pytest.raises(UserError, match="power failure"):
        build(plan, descriptor, out, runs)
    assert trainings == [("jpeg",), ("gaussian_noise",), ("jpeg",)]
    monkeypatch.setattr(building, "carry_out", carry_out)

    def fails(*arguments, **options):
        raise UserError("another one")

    trainings.clear()
    monkeypatch.setattr(examiner_building, "calibrate", fails)
    with pytest.raises(UserError, match="another one"):
        build(plan, descriptor, out, runs)
    assert trainings == [("gaussian_noise",)]
    assert not out.exists()

    monkeypatch.setattr(examiner_building, "calibrate", calibrate)
    said: list[str] = []
    trainings.clear()
    assert [group.name for group in build(plan, descriptor, out, runs).groups] == list(NAMES)
    first = out.read_bytes()
    monkeypatch.setattr(examiner_building, "calibrate", fails)
    build(plan, descriptor, out, runs, listened(said))
    assert trainings == []
    assert out.read_bytes() == first
    assert f"similarity: read from {runs / 'similarity.json'}" in said
    assert f"calibration: read from {runs / 'calibration'}" in said


def test_other_inputs_are_other_results(plan: Plan, descriptor: Descriptor, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    said: list[str] = []
    names = plan.recipe.degradations.model_copy(update={"names": ("jpeg",)})
    alone = replace(plan, recipe=plan.recipe.model_copy(update={"degradations": names}))
    build(alone, descriptor, tmp_path / "a.bundle", runs, listened(said))
    assert not any("search" in line or "similarity" in line for line in said)
    longer = replace(alone, recipe=alone.recipe.model_copy(update={"steps": 4}))
    said.clear()
    second = build(longer, descriptor, tmp_path / "b.bundle", runs, listened(said))
    assert "calibration on 12 photographs" in said
    assert "4 steps of" in second.entry().recipe
    assert len(list((runs / "networks").iterdir())) == 2


def test_a_stopped_training_goes_on(
    plan: Plan, descriptor: Descriptor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = plan.recipe.degradations.model_copy(update={"names": ("jpeg",)})
    recipe = plan.recipe.model_copy(update={"degradations": names, "save_every": 1})

    def stopped(recipe: Recipe, folder: Path, **options):
        result = training_run.train(recipe.model_copy(update={"steps": 2}), folder, **options)
        return replace(result, steps=recipe.steps)

    with monkeypatch.context() as patch:
        patch.setattr(group_training, "train", stopped)
        with pytest.raises(group_training.BuildStoppedError, match="after 2 of 3 steps; the same command goes on"):
            group_training.carry_out(recipe, tmp_path / "run", "cpu")
    card = group_training.carry_out(recipe, tmp_path / "run", "cpu")
    assert 1 <= card.steps <= 3
    assert group_training.carry_out(recipe, tmp_path / "run", "cpu") == card


@pytest.mark.parametrize(
    ("names", "said"),
    [(("jpeg", "fog_of_war"), "fog_of_war"), (("jpeg", "jpeg"), "named twice")],
)
def test_degradations_are_checked_first(
    plan: Plan, descriptor: Descriptor, tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    part = plan.recipe.degradations.model_copy(update={"names": names})
    wrong = replace(plan, recipe=plan.recipe.model_copy(update={"degradations": part}))
    with pytest.raises(UserError, match=said):
        build(wrong, descriptor, tmp_path / "my.bundle", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_other_files_are_not_replaced(plan: Plan, descriptor: Descriptor, tmp_path: Path) -> None:
    out = tmp_path / "thesis.doc"
    out.write_text("years of work")
    with pytest.raises(BundleError, match="no packed bundle"):
        build(plan, descriptor, out, tmp_path / "runs")
    assert out.read_text() == "years of work"


def test_too_few_photographs_end_it_before_any_training(
    plan: Plan, descriptor: Descriptor, photos: Path, tmp_path: Path, trainings: list[tuple[str, ...]]
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        (few / f"{number}.png").write_bytes((photos / f"{number}.png").read_bytes())
    data = plan.recipe.data.model_copy(update={"folder": few})
    small = replace(plan, recipe=plan.recipe.model_copy(update={"data": data}))
    with pytest.raises(ExaminationError, match="3 photographs are too few"):
        build(small, descriptor, tmp_path / "my.bundle", tmp_path / "runs")
    assert trainings == []


def test_descriptors_come_from_bundles_or_weights(descriptor: Descriptor, tmp_path: Path) -> None:
    network = create("srresnet", {"blocks": 1, "width": 4})
    card = NetworkCard(name="a", purpose="p", architecture="srresnet", options={"blocks": 1, "width": 4}, **STATED)
    plain = Bundle.write(tmp_path / "plain", [(card, network.state_dict())])
    with pytest.raises(BundleError, match=r"has no descriptor.*--descriptor"):
        descriptor_of(plain)
    whole = create("srresnet_x4_compact")
    save_weights(whole, tmp_path / "weights.safetensors", {})
    loaded = descriptor_from(tmp_path / "weights.safetensors")
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in loaded.network.state_dict().items())
    assert loaded.card.licence.startswith("unknown")


def test_starting_weights_are_those_of_the_same_architecture(plan: Plan, tmp_path: Path) -> None:
    network = create("srresnet", {"blocks": 1, "width": 4})
    card = NetworkCard(name="a", purpose="p", architecture="srresnet", options={"blocks": 1, "width": 4}, **STATED)
    bundle = Bundle.write(tmp_path / "bundle", [(card, network.state_dict())])
    recipe, origin = start_from(plan.recipe, bundle, tmp_path / "start.safetensors")
    assert origin == "the network 'a' (licence MIT; trained on generated)"
    assert recipe.network.start == tmp_path / "start.safetensors"
    assert load_file(tmp_path / "start.safetensors").keys() == network.state_dict().keys()
    assert start_from(recipe, bundle, tmp_path / "b.safetensors") == (recipe, "")
    part = plan.recipe.network.model_copy(update={"options": {"blocks": 2, "width": 4}})
    other = plan.recipe.model_copy(update={"network": part})
    assert start_from(other, bundle, tmp_path / "b.safetensors") == (other, "")


@pytest.mark.parametrize(
    ("members", "name"),
    [(("jpeg",), "jpeg"), (("a", "b", "c"), "a-b-c"), (("a", "b", "c", "d"), "a-and-3-more")],
)
def test_names_of_groups(members: tuple[str, ...], name: str) -> None:
    assert group_training.group_name(members) == name


def test_the_default_recipe_fits_small_folders(photos: Path, tmp_path: Path) -> None:
    write_default(tmp_path / "recipe.yaml", photos, steps=1, budget=1)
    recipe = base_recipe(tmp_path / "recipe.yaml", photos, ["haze"])
    assert (recipe.optimiser.warmup, recipe.validation.pictures, recipe.steps) == (0, 2, 1)
    write_default(tmp_path / "recipe.yaml", photos, steps=7000, budget=1000)
    recipe = base_recipe(tmp_path / "recipe.yaml", photos, ["haze", "jpeg"], steps=5000, overrides=["batch=3"])
    assert (recipe.optimiser.warmup, recipe.steps, recipe.batch) == (100, 5000, 3)
    assert recipe.degradations.names == ("haze", "jpeg")


def test_the_default_recipe_is_that_of_the_shipped_groups(photos: Path, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    write_default(tmp_path / "recipe.yaml", photos, steps=7000, budget=2000)
    ours = base_recipe(tmp_path / "recipe.yaml", photos, ["jpeg"]).flat()
    shipped = base_recipe(root / "recipes/group_nafnet_compact.yaml", photos, ["jpeg"]).flat()
    differing = {key for key in ours if ours[key] != shipped[key]}
    assert differing == {"purpose", "validation.pictures"}
