"""A recipe carried out: from a file to a folder with weights, journal and checkpoint."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning_fabric import Fabric

from unblemish.evaluation.provenance import provenance
from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_weights
from unblemish.training.callbacks import Callback, Journal
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.data import PatchSource, find_pictures, hold_out
from unblemish.training.errors import TrainingError
from unblemish.training.fit import LAST, FitResult, fit
from unblemish.training.recipe import Recipe
from unblemish.training.task import RestorationTask, Task
from unblemish.training.validation import Validation

LOG = logging.getLogger(__name__)
MAY_CHANGE = {"purpose", "steps", "save_every", "validation", "compile"}
"""Keys of a recipe that may differ when a training is resumed; all others would make it another training."""


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    devices: int | str = 1,
    accelerator: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> FitResult:
    """Carries out a recipe; results stand in `folder` (see `fit`), with the resolved recipe and where it ran.

    Args:
        recipe: What to train.
        folder: Made if missing.
        resume: Go on from `folder/last.ckpt`.
        devices: How many devices of the accelerator, as Lightning Fabric takes it.
        accelerator: "auto" takes a GPU where there is one; "cpu", "cuda", "mps".
        callbacks: Told of progress besides the journal.

    Raises:
        TrainingError: The folder holds another training, the data cannot be used, or the training failed.
    """
    checkpoint = _checkpoint(recipe, folder, resume)
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=recipe.precision)
    fabric.launch()
    fabric.seed_everything(recipe.seed, verbose=False)
    task = build_task(recipe)
    source, validation = load_data(recipe)
    facts = _facts(recipe, task, source, fabric)
    if checkpoint:
        checkpoint.recipe = recipe.model_dump(mode="json")
    if fabric.is_global_zero:
        _describe(recipe, folder, facts)
    watchers = [Journal(folder), *callbacks] if fabric.is_global_zero else []
    for watcher in watchers:
        watcher.on_start(checkpoint.step if checkpoint else 0, recipe.steps, facts)
    try:
        with stop_on_signal() as asked:
            return fit(
                recipe, task, source, validation, folder,
                fabric=fabric, checkpoint=checkpoint, callbacks=watchers, should_stop=asked.is_set,
            )  # fmt: skip
    finally:
        for watcher in watchers:
            watcher.on_end()


def build_task(recipe: Recipe) -> Task:
    """The network of the recipe, with its starting weights, in the task of the recipe."""
    network = create(recipe.network.name, recipe.network.options)
    if recipe.network.start:
        load_weights(network, recipe.network.start)
    return RestorationTask(network, recipe.task.loss)


def load_data(recipe: Recipe) -> tuple[PatchSource, Validation]:
    """Training patches and validation crops; pictures that cannot be used are logged one by one."""
    paths = find_pictures(recipe.data.folder)
    if recipe.validation.folder:
        held_out = find_pictures(recipe.validation.folder)[: recipe.validation.pictures]
    else:
        paths, held_out = hold_out(paths, recipe.validation.pictures)
    source = PatchSource(
        paths, patch=recipe.data.patch, scales=recipe.data.scales, memory=int(recipe.data.memory * 1e9)
    )
    for path, reason in source.broken.items():
        LOG.warning("skipped: %s: %s", path, reason)
    validation = Validation(
        held_out, crop=recipe.validation.crop, names=recipe.degradations.names, seed=recipe.seed
    )
    return source, validation


@contextlib.contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yields an event that is set when the process is asked to end, so that the loop can save first.

    A second request ends the process at once. In other threads than the main one signals stay as they are.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in wanted}

    def ask(number: int, _: object) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in wanted:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _checkpoint(recipe: Recipe, folder: Path, resume: bool) -> Checkpoint | None:
    path = folder / LAST
    if not resume:
        if path.exists():
            raise TrainingError(f"{folder}: holds a training already; add --resume to go on, or choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        return None
    checkpoint = Checkpoint.load(path)
    now = recipe.model_dump(mode="json")
    other = sorted(key for key in now if key not in MAY_CHANGE and now[key] != checkpoint.recipe.get(key))
    if other:
        raise TrainingError(
            f"{path}: was trained with another recipe ({', '.join(other)} differ); give the same one, or train anew "
            "in another folder with network.start"
        )
    if checkpoint.step >= recipe.steps:
        raise TrainingError(f"{path}: all {checkpoint.step} steps are done; give more with steps=N to go on")
    return checkpoint


def _facts(recipe: Recipe, task: Task, source: PatchSource, fabric: Fabric) -> dict[str, Any]:
    return {
        "device": str(fabric.device),
        "devices": fabric.world_size,
        "parameters": task.network.parameter_count,
        "pictures": len(source),
        "broken": {str(path): reason for path, reason in source.broken.items()},
    }


def _describe(recipe: Recipe, folder: Path, facts: dict[str, Any]) -> None:
    content = {
        "recipe": recipe.model_dump(mode="json"),
        "facts": facts,
        "provenance": provenance(command=f"unblemish train {recipe.purpose}", seeds=[recipe.seed], seconds=0.0),
    }
    (folder / "training.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
