"""One candidate of the search: a network trained on a group for a fixed number of steps, and its scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from unblemish.evaluation.provenance import provenance, write_result
from unblemish.grouping.errors import GroupingError, SearchStoppedError
from unblemish.grouping.problem import Group
from unblemish.networks.catalogue import create
from unblemish.networks.loading import sha256
from unblemish.pictures.folders import find_pictures, inventory
from unblemish.studies.runs import IRRELEVANT
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.fit import LAST
from unblemish.training.holding_out import hold_out
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task, train
from unblemish.training.task import TaskBuilder
from unblemish.training.validation import BATCH, Validation

SCORES = "scores.json"
"""In a candidate's folder: what it reached. It is written last and marks the candidate as finished."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What to train and score, and where.

    Attributes:
        recipe: Names the group's degradations.
        folder: Of the run, which may have been begun or finished before.
        accelerator: As of `training.run.train`.
        build: As of `training.run.train`.
    """

    recipe: Recipe
    folder: Path
    accelerator: str = "auto"
    build: TaskBuilder = build_task


def derive(base: Recipe, group: Group, budget: int) -> Recipe:
    """The recipe of a group: `base` with other degradations and steps, validated only at its end.

    Seed, starting weights, pictures and everything else stay, so that all candidates differ in the group alone.

    Raises:
        TrainingError: `base` does not allow so few steps, as its warm-up takes longer.
    """
    content = base.model_dump(mode="json")
    content |= {"steps": budget, "purpose": f"group search: {', '.join(group)}"}
    content["degradations"]["names"] = list(group)
    content["validation"]["every"] = budget
    return Recipe.parse(content, f"the recipe with {budget} steps")


def fingerprint(recipe: Recipe) -> str:
    """A name for a training: equal for recipes that train and score the same, with the same files.

    Pictures count by path below their folder and by size, starting weights by content; so the folders may move, but
    other pictures or other weights make another training.

    Raises:
        UserError: A folder of pictures cannot be read.
        GroupingError: The starting weights cannot be read.
    """
    content: dict[str, Any] = {key: value for key, value in recipe.flat().items() if key not in IRRELEVANT}
    for key in ("contrast", "perceptual", "golf", "lifelong", "data.pairs", "degradations.kernels"):
        if content.get(key, ...) is None:
            del content[key]  # so that trainings from before there was this key keep their names
    for key, folder in (("data.folder", recipe.data.folder), ("validation.folder", recipe.validation.folder)):
        if folder:
            content[key] = inventory(folder)
    if start := recipe.network.start:
        try:
            content["network.start"] = sha256(start)
        except OSError as error:
            raise GroupingError(f"{start}: cannot be read ({error.strerror}); check network.start") from error
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def finished(folder: Path) -> dict[str, Any] | None:
    """What `carry_out` wrote for a finished candidate: "psnr" by degradation, "protocol" and more; else None.

    Raises:
        GroupingError: The file is not one of `carry_out`.
    """
    path = folder / SCORES
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not {"psnr", "protocol"} <= content.keys():
        raise GroupingError(f"{path}: holds no scores; delete its folder to train that candidate anew")
    return content


def carry_out(candidate: Candidate) -> dict[str, float]:
    """Trains a candidate, or what is left of its training, and scores the averaged weights of its last step.

    Every degradation is scored with the same damage in whichever group it is.

    Returns:
        PSNR in dB on the held-out pictures, by degradation.

    Raises:
        SearchStoppedError: The user ended the training, which is saved.
        UserError: The data cannot be used, or the training failed.
    """
    recipe, folder = candidate.recipe, candidate.folder
    if done := finished(folder):
        return done["psnr"]
    begun = (folder / LAST).exists()
    if not begun or Checkpoint.load(folder / LAST).step < recipe.steps:
        result = train(
            recipe, folder,
            build=candidate.build, resume=begun, accelerator=candidate.accelerator,
            command=["unblemish", "group", "search"],
        )  # fmt: skip
        if result.step < result.steps:
            raise SearchStoppedError(
                f"stopped in the training of {' + '.join(recipe.degradations.names)} after {result.step} of "
                f"{result.steps} steps; the same command goes on from here"
            )
    state = Checkpoint.load(folder / LAST)
    scores, protocol = score(candidate, state)
    content = {
        "psnr": scores,
        "protocol": protocol,
        "steps": state.step,
        "recipe": recipe.model_dump(mode="json"),
        "provenance": provenance(["unblemish", "group", "search"], [recipe.seed], state.seconds),
    }
    write_result(folder / SCORES, content)
    return scores


def held_out(recipe: Recipe) -> Sequence[Path]:
    """The pictures that the training validates on."""
    part = recipe.validation
    if part.folder:
        return find_pictures(part.folder)[: part.pictures]
    return hold_out(find_pictures(recipe.data.folder), part.pictures)[1]


def score(candidate: Candidate, state: Checkpoint) -> tuple[dict[str, float], str]:
    """PSNR by degradation, computed in float32, and the protocol."""
    recipe = candidate.recipe
    device = Fabric(accelerator=candidate.accelerator, devices=1).device
    network = create(recipe.network.name, recipe.network.options)
    network.load_state_dict(state.average)
    network.to(device).eval()
    pictures = held_out(recipe)
    scores, protocol = {}, ""
    for name in recipe.degradations.names:
        # One at a time: the damage that a validation draws depends on the place of a name among the others.
        validation = Validation(
            pictures, crop=recipe.validation.crop, names=[name], seed=recipe.seed, shrink=recipe.degradations.shrink
        )
        batches = -(-len(validation.clean) // BATCH)  # the rest is undamaged pictures
        scores[name] = validation.score(network, device, batches)[name]
        protocol = str(validation.protocol)
    return scores, protocol
