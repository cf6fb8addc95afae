"""What a bundle is to learn, and the recipes of the trainings that teach it; no old pictures can come into them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from unblemish.degradations import catalogue
from unblemish.files import write_atomically
from unblemish.lifelong.discriminator import SMALLEST
from unblemish.pictures.errors import PictureError
from unblemish.pictures.folders import find_pictures
from unblemish.pictures.pairs import Pair, PairFolders, find_pairs
from unblemish.restoration.building_recipe import LICENCE
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.growable import Growable, OldFiles
from unblemish.training.errors import TrainingError
from unblemish.training.lifelong_part import GENERATOR, GrowPart
from unblemish.training.recipe import Recipe

STEPS, WARMUP, REPLAY_STEPS = 3000, 800, 2000
"""Of the joint training, of the new parts alone before it, and of the new task's generator."""

TOLERANCE = 0.1
"""Decibels that an old task may lose on replayed pictures."""

GIVEN = (
    *("network", "data.folder", "data.pairs", "degradations.names", "degradations.kernels", "validation.folder"),
    *("lifelong.stage", "lifelong.strategy", "lifelong.old", "lifelong.replay", "lifelong.old_folder"),
)
"""Keys of the recipe that follow from the bundle and the new pictures."""

_WIDEST = 64
"""Channels of the first layer of CycleGAN's networks; a smaller generator is judged by twice as many as it has."""

_AS_PUBLISHED: dict[str, dict[str, Any]] = {
    "lifelong": {},
    "optimiser": {"rate": 2e-4},
    "others": {"ema": 0.0},
}
_RANDOM: dict[str, dict[str, Any]] = {
    "lifelong": {"details": True, "paired": True, "matching_weight": 20.0},
    "optimiser": {"rate": 1e-3, "floor": 0.3},
    "others": {"ema": 0.97},
}
"""How generators learn: CycleGAN's, and those that leave damage to chance, see recipes/studies/lira_replay.yaml."""

_VALIDATED = 24
"""Pictures held out of trainings; of small folders a fifth."""


@dataclass(frozen=True, slots=True)
class NewDamage:
    """What the bundle is to learn.

    Attributes:
        names: What the new group treats; the first names the group.
        folder: Clean pictures, or the folder that holds the two folders of pairs.
        pairs: Names of these two, of damaged and of clean pictures; None where damage is made.
        everywhere: Whether the damage of pairs is never in a part of a picture.
    """

    names: tuple[str, ...]
    folder: Path
    pairs: PairFolders | None = None
    everywhere: bool = False

    @property
    def of_whole_pictures(self) -> bool:
        """Whether the damage is never in a part of a picture."""
        return self.everywhere if self.pairs else all(catalogue.create(name).everywhere for name in self.names)

    def pictures(self) -> tuple[list[Path], dict[str, dict[Path, Path]]]:
        """All clean pictures, and for the damage of pairs the damaged picture of each.

        Raises:
            PictureError: A folder cannot be read, or there is nothing in it.
        """
        if self.pairs is None:
            return find_pictures(self.folder), {}
        whole = [pair for pair in find_pairs(self.folder, self.pairs) if pair.clean and pair.damaged]
        self._lie_side_by_side(whole)
        given = {clean: damaged for damaged, clean in (pair.files() for pair in whole)}
        return list(given), {self.names[0]: given}

    @property
    def title(self) -> str:
        """For a line of text."""
        return " + ".join(self.names)

    def described(self, count: int) -> str:
        """Says what the pictures are, without where they lie."""
        folder = self.folder.absolute()
        if self.pairs:
            damaged, clean = self.pairs
            return f"{count} pairs of the folders '{damaged}' and '{clean}', whose licence is not stated"
        return f"{count} photographs of a folder '{folder.resolve().name}', whose licence is not stated"

    def _lie_side_by_side(self, pairs: Sequence[Pair]) -> None:
        assert self.pairs
        homes = {self.folder / name for name in self.pairs}
        for path in (file for pair in pairs for file in pair.files()):
            if not homes & {*path.parents}:
                raise PictureError(
                    f"{path} is in a folder of the same name further down: move {' and '.join(self.pairs)} into a "
                    "folder that holds nothing else"
                )


@dataclass(frozen=True, slots=True)
class GrowthPlan:
    """How a bundle learns.

    Attributes:
        damage: What is new.
        recipe: Of the joint training, from `base_recipe`.
        warmup: Steps in which new parts learn alone, before it.
        replay_steps: Steps of the new task's generator.
        tolerance: Decibels that an old task may lose on replayed pictures.
        licence: Of what is learnt.
        accelerator: As of `training.run.train`.
    """

    damage: NewDamage
    recipe: Recipe
    warmup: int = WARMUP
    replay_steps: int = REPLAY_STEPS
    tolerance: float = TOLERANCE
    licence: str = LICENCE
    accelerator: str = "auto"

    @property
    def part(self) -> GrowPart:
        """How old knowledge is treated."""
        assert isinstance(self.recipe.lifelong, GrowPart)
        return self.recipe.lifelong


def folders_of_pairs(damaged: Path, clean: Path) -> tuple[Path, PairFolders]:
    """The folder that holds both, and their names.

    Raises:
        PictureError: They do not lie side by side.
    """
    # Not resolved: folders that are links lie where the link does.
    first, second = (Path(os.path.abspath(path)) for path in (damaged, clean))
    if first.parent != second.parent or first == second:
        raise PictureError(
            f"{damaged} and {clean} do not lie side by side: put the folders of damaged and of clean pictures into one "
            "folder, under different names"
        )
    for path in (first, second):
        if not path.is_dir():
            raise PictureError(f"{path}: no such folder; give one that holds pictures")
    return first.parent, (first.name, second.name)


def write_default(
    file: Path, growable: Growable, old: OldFiles, damage: NewDamage, steps: int = STEPS, warmup: int = WARMUP
) -> None:
    """Writes the recipe for those who give none, with a warm-up and a validation that fit small trainings too.

    Args:
        file: Where to, in an existing folder.
        growable: What grows.
        old: What it knows.
        damage: What it is to learn.
        steps: Of the joint training.
        warmup: Of the training before it.

    Raises:
        PictureError: There are no pictures.
    """
    pictures = len(damage.pictures()[0])
    content = {
        "purpose": "one more task for a network that grows",
        "network": {"name": growable.architecture},
        "data": {"patch": 64, "scales": [1.0, 0.5]},
        "task": {"loss": "l1"},
        "lifelong": {"ratio": 1e-3, "old_weight": 0.2},
        "optimiser": {"rate": 1e-3, "warmup": min(100, min(steps, warmup) // 10)},
        "validation": {"pictures": max(1, min(_VALIDATED, pictures // 5)), "crop": 128},
        "batch": 8,
        "ema": 0.99,
    }
    _put(content, growable, old, damage, steps)
    write_atomically(file, yaml.safe_dump(content, sort_keys=False).encode())


def base_recipe(
    file: Path,
    growable: Growable,
    old: OldFiles,
    damage: NewDamage,
    steps: int | None = None,
    overrides: Sequence[str] = (),
) -> Recipe:
    """The recipe of a joint training from a file of `lifelong.stage: grow`, with what follows from the rest put in.

    Args:
        file: A recipe of `unblemish train`.
        growable: What grows; gives the network.
        old: What it knows; gives the old weights and the generators.
        damage: What it is to learn; gives pictures and degradations.
        steps: None keeps the file's.
        overrides: Changes to other keys than `GIVEN`.

    Raises:
        TrainingError: The recipe cannot be read, or a value is not allowed.
    """
    for pair in overrides:
        key = pair.partition("=")[0]
        if any(f"{key}.".startswith(f"{fixed}.") for fixed in GIVEN):
            raise TrainingError(f"'{pair}': {key} follows from the bundle and the new pictures; leave it out")
    recipe = Recipe.load(file, list(overrides))
    if not isinstance(recipe.lifelong, GrowPart) or recipe.lifelong.strategy != "lira":
        raise TrainingError(f"{file}: a bundle grows by a recipe of lifelong.stage=grow and lifelong.strategy=lira")
    content = recipe.model_dump(mode="json")
    _put(content, growable, old, damage, recipe.steps if steps is None else steps)
    return Recipe.parse(content, str(file))


def warm_up_recipe(plan: GrowthPlan) -> Recipe:
    """Of the training of the new parts alone, old ones frozen (Sec. 3.2)."""
    part = {"stage": "grow", "strategy": "progressive", "old": str(plan.part.old)}
    return _stage(plan.recipe, "the warm-up", steps=plan.warmup, lifelong=part)


def joint_recipe(plan: GrowthPlan, start: Path) -> Recipe:
    """Of the training of all parts, with replayed pictures of the old tasks (Eq. 18).

    Args:
        plan: Says how.
        start: Weights of the warm-up.
    """
    network = plan.recipe.network.model_dump(mode="json") | {"start": str(start)}
    return _stage(plan.recipe, "the joint training", network=network)


def replay_recipe(plan: GrowthPlan, options: Mapping[str, object], restorer: Path) -> Recipe:
    """Of the generator that replays the new task when the bundle grows again (Eq. 15 to 17).

    Args:
        plan: Says on which pictures.
        options: Of the generator.
        restorer: Weights of the grown network.

    Raises:
        RestorationError: The recipe's patches are too small for it.
    """
    if plan.recipe.data.patch < SMALLEST:
        raise RestorationError(f"data.patch={plan.recipe.data.patch} is too small for the generator: give {SMALLEST}")
    steps, width = plan.replay_steps, int(str(options.get("width", _WIDEST)))
    judge = {"discriminator_width": min(_WIDEST, 2 * width)}
    ways = _RANDOM if options.get("random") else _AS_PUBLISHED
    validation = plan.recipe.validation.model_dump(mode="json")
    return _stage(
        plan.recipe,
        "the generator's training",
        network={"name": GENERATOR, "options": dict(options)},
        lifelong={"stage": "replay", "restorer": str(restorer), **judge, **ways["lifelong"]},
        optimiser={"betas": [0.5, 0.999], "warmup": min(50, steps // 20), **ways["optimiser"]},
        validation=validation | {"every": max(1, min(plan.recipe.validation.every, steps // 4))},
        steps=steps,
        **ways["others"],
    )


def _put(content: dict[str, Any], growable: Growable, old: OldFiles, damage: NewDamage, steps: int) -> None:
    """Sets what `GIVEN` names."""
    content["network"] = {"name": growable.architecture, "options": growable.options(growable.grown + 1)}
    pairs = list(damage.pairs) if damage.pairs else None
    content["data"] |= {"folder": str(damage.folder), "pairs": pairs}
    made = {"names": [] if damage.pairs else list(damage.names), "kernels": None}
    content["degradations"] = content.get("degradations", {}) | made
    content["validation"] |= {"folder": None}
    remembered = {"old": str(old.network), "replay": [str(path) for path in old.generators], "old_folder": None}
    content["lifelong"] |= {"stage": "grow", "strategy": "lira", **remembered}
    content["steps"] = steps


def _stage(recipe: Recipe, name: str, **changes: object) -> Recipe:
    return Recipe.parse(recipe.model_dump(mode="json") | changes, name)
