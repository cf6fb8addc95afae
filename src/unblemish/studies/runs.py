"""One arm and seed of a study carried out: trained once, with a record of how.

A run writes nothing outside its folder, so several processes may share out the runs of a study.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from unblemish.errors import UserError
from unblemish.evaluation.provenance import write_result
from unblemish.networks.catalogue import create
from unblemish.networks.loading import put_weights
from unblemish.studies.records import file_digest, folder_digest, read_record, validation_curve, validations
from unblemish.studies.study import StudyRun
from unblemish.training.callbacks import Callback
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.contrast_part import CcrPart
from unblemish.training.division import find_sources
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL, LAST, save_described
from unblemish.training.lifelong_part import GrowPart
from unblemish.training.recipe import Recipe
from unblemish.training.run import DESCRIPTION, train
from unblemish.training.search_part import FOLLOWING
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Batch, TaskBuilder

RECORD = "run.json"
"""In a run's folder: recipe and files from the start; steps, seconds, facts and curve once it is finished."""

IRRELEVANT = ("purpose", "save_every", "data.memory", "data.on_device", *FOLLOWING)
"""Keys of a recipe that change neither the weights nor the curve."""

FOLDERS = ("data.folder", "validation.folder", "search.folder", "lifelong.old_folder")
FILES = (
    "network.start",
    "golf.first",
    "lifelong.experts",
    "lifelong.old",
    "lifelong.restorer",
    "contrast.pretrained",
    "contrast.embedding_weights",
    "perceptual.embedding_weights",
)
"""Keys of a recipe whose pictures and weights count, wherever they are."""

NEGATIVES, REPLAY = "contrast.negatives", "lifelong.replay"
"""Keys of a recipe whose several weights count as well as where they are and what is said of them."""

_JOURNAL = "journal.jsonl"


def carry_out(
    run: StudyRun,
    build: TaskBuilder,
    *,
    accelerator: str = "auto",
    callbacks: Sequence[Callback] = (),
    command: Sequence[str] = ("study",),
) -> bool:
    """Trains a run, or what is left of it; does nothing if it is finished.

    Args:
        run: What to train where.
        build: Makes the task of a recipe.
        accelerator: As of `training.run.train`.
        callbacks: Told of progress.
        command: Words of the command line, for the records.

    Returns:
        Whether it is finished; False where the user stopped it, which is saved.

    Raises:
        TrainingError: The folder holds another training, or the training failed.
        UserError: The data cannot be used.
        OSError: The record cannot be written.
    """
    if finished(run):
        return True
    started = {"recipe": run.recipe.model_dump(mode="json"), "files": _files(run.recipe)}
    begun = (run.folder / LAST).exists()
    if not begun or Checkpoint.load(run.folder / LAST).step < run.recipe.steps:
        write_result(run.folder / RECORD, started)
        result = train(
            run.recipe, run.folder, build=build, resume=begun, accelerator=accelerator, callbacks=callbacks,
            command=command,
        )  # fmt: skip
        if result.step < result.steps:
            return False
    write_result(run.folder / RECORD, started | _outcome(run))
    return True


def rehearse(run: StudyRun, build: TaskBuilder) -> None:
    """Takes a run as far as one batch of noise through its losses, to find what would end the training itself.

    Raises:
        TrainingError: A network, its weights, what a method needs, or a folder cannot be used; the message names the
            arm.
    """
    recipe = run.recipe
    try:
        for folder in _folders(recipe).values():
            find_sources(recipe, folder)
        damage = Synthesis.of(recipe.degradations)
        task = build(recipe)
        clean = torch.rand(1, 3, recipe.data.patch, recipe.data.patch)
        with torch.no_grad():
            task(Batch(damage(clean, recipe.seed), clean, damage.kinds(1, recipe.seed)))
    except UserError as error:
        raise TrainingError(f"arm {run.arm}: {error}") from error


def follows(run: StudyRun, others: Iterable[StudyRun]) -> bool:
    """Whether a run starts from weights in the folder of another one, and so cannot be rehearsed before that."""
    start = run.recipe.network.start
    return start is not None and Path(start).parent in [other.folder for other in others]


def finished(run: StudyRun) -> dict[str, Any] | None:
    """The record of a finished run: "steps", "seconds", "parameters", "facts", "curve", "validations" and more.

    Returns:
        None where it is not begun or not finished.

    Raises:
        TrainingError: The folder holds another training; the message names the keys that differ.
    """
    record = _record(run.folder)
    if record is None:
        return None
    if changed := _changed(record, run.recipe):
        raise TrainingError(
            f"{run.folder}: was trained with another recipe ({', '.join(changed)} differ); give the same one, "
            "or choose another folder"
        )
    return record if "seconds" in record else None


def _record(folder: Path) -> dict[str, Any] | None:
    """What was noted of a run, or what its checkpoint says; None where no step of it is kept."""
    record, path = read_record(folder / RECORD), folder / LAST
    if record and ("seconds" in record or path.exists()):
        return record
    if not path.exists():
        return None
    recipe = Checkpoint.load(path).recipe
    return {"recipe": recipe, "files": _files(Recipe.parse(recipe, str(path)))}


def _changed(record: dict[str, Any], recipe: Recipe) -> list[str]:
    """Keys that make `recipe` another training than the recorded one."""
    before = Recipe.parse(record["recipe"], "the recorded recipe")
    return sorted({*differing(before, recipe), *replaced(record["files"], recipe)})


def differing(before: Recipe, now: Recipe) -> list[str]:
    """Keys that make a recipe another training than one before, wherever pictures and weights are."""
    old, new = before.flat(), now.flat()
    changed = {key for key in {**old, **new} if old.get(key) != new.get(key)}
    given = {key for key in (*FOLDERS, *FILES) if (old.get(key) is None) != (new.get(key) is None)}
    return sorted(changed.difference(IRRELEVANT, FOLDERS, FILES) | given)


def replaced(before: Mapping[str, str], recipe: Recipe) -> list[str]:
    """Keys of a recipe whose pictures or weights are others than the recorded digests say; missing ones are not."""
    now = _files(recipe)
    return sorted(key for key in before if before[key] != now.get(key, before[key]))


def _files(recipe: Recipe) -> dict[str, str]:
    """Digests of the pictures and weights that a recipe names, so that they may move.

    What is not there cannot be compared: finished runs may be gathered where their photographs are not.
    """
    named = recipe.flat()
    found = {key: folder_digest(folder) for key, folder in _folders(recipe).items() if folder.is_dir()}
    files = {key: [Path(str(named[key]))] for key in FILES if named.get(key)}
    if isinstance(recipe.contrast, CcrPart):
        files[NEGATIVES] = [negative.weights for negative in recipe.contrast.negatives]
    if isinstance(recipe.lifelong, GrowPart) and recipe.lifelong.replay:
        files[REPLAY] = list(recipe.lifelong.replay)
    for key, paths in files.items():
        if all(path.is_file() for path in paths):
            found[key] = "-".join(file_digest(path) for path in paths)
    return found


def _folders(recipe: Recipe) -> dict[str, Path]:
    """The folders of pictures that a recipe names, by key."""
    named = recipe.flat()
    return {key: Path(str(named[key])) for key in FOLDERS if named.get(key)}


def _outcome(run: StudyRun) -> dict[str, Any]:
    """What a finished training left in its folder."""
    state = Checkpoint.load(run.folder / LAST)
    if not (run.folder / FINAL).exists():  # it was killed between its last checkpoint and its weights
        part = run.recipe.network
        network = create(part.name, part.options)
        put_weights(network, state.average, run.folder / LAST)
        save_described(network, run.folder / FINAL, run.recipe, state.step)
    described = yaml.safe_load((run.folder / DESCRIPTION).read_text(encoding="utf-8"))
    return {
        "steps": state.step,
        "seconds": round(state.seconds, 3),
        "parameters": described["facts"]["parameters"],
        "facts": described["facts"],
        "hardware": described["provenance"]["hardware"],
        "revision": described["provenance"]["revision"],
        "curve": validation_curve(run.folder / _JOURNAL),
        "validations": validations(run.folder / _JOURNAL),
    }
