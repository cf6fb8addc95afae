"""The recipe of a user's own bundle: how every network of `building.build` is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from unblemish.files import write_atomically
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.bundle import Bundle
from unblemish.training.recipe import Recipe

STEPS, BUDGET = 7000, 1000
"""Of each group's network, and of each candidate of the search."""

_VALIDATED = 24
"""Pictures held out of trainings; of small folders a fifth."""

LICENCE = "unknown: that of your photographs decides"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build.

    Attributes:
        recipe: Of every network: it names all degradations and the folder of photographs, and its steps are those of
            a group's network.
        budget: Steps of each candidate of the search.
        threshold: Largest loss in dB against a network of its own that a degradation may suffer in a group.
        patches: Clean patches of the similarity; None takes a number that fits the folder.
        reduction: Factor by which photographs are shrunk before these patches are cut.
        licence: Of the new networks.
        origin: Whose weights the trainings start from, in words; empty for none.
        accelerator: As of `training.run.train`.
    """

    recipe: Recipe
    budget: int
    threshold: float = 0.7
    patches: int | None = None
    reduction: int = 2
    licence: str = LICENCE
    origin: str = ""
    accelerator: str = "auto"


def write_default(file: Path, folder: Path, steps: int, budget: int) -> None:
    """Writes the recipe for those who give none, with a warm-up and a validation that fit small trainings too.

    Args:
        file: Where to, in an existing folder.
        folder: Clean pictures.
        steps: Of each group's network.
        budget: Steps of a candidate.

    Raises:
        PictureError: The folder holds no picture.
    """
    content = {
        "purpose": "a compact network for a group of degradations",
        "network": {"name": "nafnet_compact"},
        "data": {"folder": str(folder), "patch": 96, "scales": [1.0, 0.5]},
        "degradations": {"names": ["jpeg"], "clean": 0.06},
        "task": {"loss": "l1"},
        "optimiser": {
            "rate": 1.5e-3,
            "betas": [0.9, 0.99],
            "warmup": min(200, min(steps, budget) // 10),
            "floor": 0.001,
            "clip": 0.3,
        },
        "validation": {"pictures": max(1, min(_VALIDATED, len(find_pictures(folder)) // 5)), "crop": 192},
        "steps": steps,
        "ema": 0.999,
    }
    write_atomically(file, yaml.safe_dump(content, sort_keys=False).encode())


def base_recipe(
    file: Path, folder: Path, names: Sequence[str], steps: int | None = None, overrides: Sequence[str] = ()
) -> Recipe:
    """A recipe file with other pictures, degradations and, where given, steps.

    Raises:
        TrainingError: The recipe cannot be read, or a value is not allowed.
    """
    content = Recipe.load(file, list(overrides)).model_dump(mode="json")
    content["data"]["folder"] = str(folder)
    content["degradations"]["names"] = list(names)
    content["steps"] = steps or content["steps"]
    return Recipe.parse(content, str(file))


def start_from(recipe: Recipe, bundle: Bundle, file: Path) -> tuple[Recipe, str]:
    """Lets a recipe start from the bundle's default network, if that has the same architecture.

    Args:
        recipe: Unchanged if it starts from other weights already.
        bundle: Whose default network.
        file: Where to put its weights, in an existing folder.

    Returns:
        The recipe, and whose weights it starts from in words; empty where from none of the bundle.
    """
    entry = bundle.entry()
    if recipe.network.start or (entry.architecture, entry.options) != (recipe.network.name, recipe.network.options):
        return recipe, ""
    write_atomically(file, bundle.blob(entry))
    network = recipe.network.model_copy(update={"start": file})
    origin = f"the network '{entry.name}' (licence {entry.licence}; trained on {entry.training_set})"
    return recipe.model_copy(update={"network": network}), origin
