from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from unblemish.errors import UserError
from unblemish.pictures.errors import PictureError
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.growable import Growable, OldFiles, find_growable
from unblemish.restoration.growth_recipe import (
    GrowthPlan,
    NewDamage,
    base_recipe,
    folders_of_pairs,
    joint_recipe,
    replay_recipe,
    warm_up_recipe,
    write_default,
)
from unblemish.training.errors import TrainingError
from unblemish.training.lifelong_part import GrowPart, ReplayPart


@pytest.fixture
def known(growable: Path, tmp_path: Path) -> tuple[Growable, OldFiles]:
    found = find_growable(Bundle.load(growable))
    return found, found.write(tmp_path / "old")


@pytest.fixture
def paired(many_photos: Path, tmp_path: Path) -> Path:
    for name in ("degraded", "clean"):
        shutil.copytree(many_photos, tmp_path / "set" / name)
    return tmp_path / "set"


def test_the_default_recipe_fits_small_folders(
    known: tuple[Growable, OldFiles], many_photos: Path, tmp_path: Path
) -> None:
    damage, file = NewDamage(("haze", "rain"), many_photos), tmp_path / "recipe.yaml"
    write_default(file, *known, damage, steps=1, warmup=1)
    assert base_recipe(file, *known, damage).optimiser.warmup == 0
    write_default(file, *known, damage)
    recipe = base_recipe(file, *known, damage, overrides=["batch=3", "lifelong.ratio=1e-4"])
    assert (recipe.steps, recipe.batch, recipe.optimiser.warmup, recipe.validation.pictures) == (3000, 3, 80, 2)
    assert recipe.network.options == {"width": 16, "coarse_width": 16, "experts": 1, "blocks": 2, "grown": 1}
    assert (recipe.degradations.names, recipe.data.folder) == (("haze", "rain"), many_photos)
    part = recipe.lifelong
    assert isinstance(part, GrowPart)
    assert (part.strategy, part.ratio, part.old_folder) == ("lira", 1e-4, None)
    assert (part.old, part.replay) == (known[1].network, known[1].generators)
    assert base_recipe(file, *known, damage, steps=99).steps == 99


def test_old_pictures_cannot_come_in(known: tuple[Growable, OldFiles], many_photos: Path, tmp_path: Path) -> None:
    damage, file = NewDamage(("haze",), many_photos), tmp_path / "recipe.yaml"
    write_default(file, *known, damage)
    for pair in ("data.folder=old", "validation.folder=old", "lifelong.old_folder=old", "network.name=lira"):
        with pytest.raises(TrainingError, match="follows from the bundle and the new pictures; leave it out"):
            base_recipe(file, *known, damage, overrides=[pair])
    with pytest.raises(TrainingError, match="'network=lira': network follows"):
        base_recipe(file, *known, damage, overrides=["network=lira"])
    content = yaml.safe_load(file.read_text())
    content["data"]["folder"] = content["validation"]["folder"] = "old"
    content["lifelong"]["old"] = "older"
    file.write_text(yaml.safe_dump(content))
    recipe = base_recipe(file, *known, damage)
    assert (recipe.data.folder, recipe.validation.folder) == (many_photos, None)
    content["lifelong"] |= {"strategy": "joint", "old_folder": "old", "watch": ["jpeg"], "replay": []}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(TrainingError, match=r"grows by a recipe of lifelong.stage=grow and lifelong.strategy=lira"):
        base_recipe(file, *known, damage)


def test_the_stages_follow_each_other(known: tuple[Growable, OldFiles], many_photos: Path, tmp_path: Path) -> None:
    damage, file = NewDamage(("haze",), many_photos), tmp_path / "recipe.yaml"
    write_default(file, *known, damage, steps=30, warmup=20)
    plan = GrowthPlan(damage, base_recipe(file, *known, damage), warmup=20, replay_steps=10)
    first, then = warm_up_recipe(plan), joint_recipe(plan, tmp_path / "start")
    assert isinstance(first.lifelong, GrowPart)
    assert (first.lifelong.strategy, first.steps, first.network.start) == ("progressive", 20, None)
    assert then.network.start == tmp_path / "start"
    assert then.lifelong == plan.part
    last = replay_recipe(plan, {"width": 4, "blocks": 1}, tmp_path / "grown")
    assert isinstance(last.lifelong, ReplayPart)
    assert (last.lifelong.restorer, last.lifelong.discriminator_width) == (tmp_path / "grown", 8)
    assert (last.network.name, last.network.options) == ("replay_generator", {"width": 4, "blocks": 1})
    assert (last.validation.every, last.optimiser.warmup, last.ema) == (2, 0, 0)
    assert (last.steps, last.data, last.degradations) == (10, plan.recipe.data, plan.recipe.degradations)


def test_pairs_are_two_folders_side_by_side(
    paired: Path, known: tuple[Growable, OldFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(paired)
    assert folders_of_pairs(Path("degraded"), Path("../set/clean/")) == (paired, ("degraded", "clean"))
    damage = NewDamage(("moire",), paired, ("degraded", "clean"))
    clean, given = damage.pictures()
    assert len(clean) == 12
    assert given == {"moire": {path: paired / "degraded" / path.name for path in clean}}
    assert damage.described(12) == "12 pairs of the folders 'degraded' and 'clean', whose licence is not stated"
    write_default(tmp_path / "recipe.yaml", *known, damage)
    recipe = base_recipe(tmp_path / "recipe.yaml", *known, damage)
    assert (recipe.data.pairs, recipe.degradations.names) == (("degraded", "clean"), ())
    for folders in ((paired / "degraded", tmp_path), (paired / "clean", paired / "clean")):
        with pytest.raises(PictureError, match="do not lie side by side: put the folders"):
            folders_of_pairs(*folders)
    with pytest.raises(PictureError, match="none: no such folder"):
        folders_of_pairs(paired / "none", paired / "clean")
    shutil.copytree(paired, paired / "more/set")
    with pytest.raises(UserError, match="in a folder of the same name further down"):
        damage.pictures()


def test_a_generator_that_draws_at_random_is_matched(
    known: tuple[Growable, OldFiles], many_photos: Path, tmp_path: Path
) -> None:
    """What its study found; CycleGAN's learns as published."""
    growable, old = known
    write_default(tmp_path / "recipe.yaml", growable, old, damage := NewDamage(("haze",), many_photos))
    plan = GrowthPlan(damage, base_recipe(tmp_path / "recipe.yaml", growable, old, damage))
    random, plain = (
        replay_recipe(plan, {"width": 4, "blocks": 1, "random": chance}, tmp_path / "grown") for chance in (True, False)
    )
    assert isinstance(random.lifelong, ReplayPart)
    assert isinstance(plain.lifelong, ReplayPart)
    assert (random.lifelong.matching_weight, random.lifelong.paired, random.ema) == (20.0, True, 0.97)
    assert (plain.lifelong.matching_weight, plain.lifelong.paired, plain.ema) == (0.0, False, 0.0)
