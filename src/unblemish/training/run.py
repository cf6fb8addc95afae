"""A recipe carried out: from a file to a folder with weights, journal and checkpoint.

What methods add to plain training comes in through `build`: `restoration.methods.build_task` knows all of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from lightning_fabric import Fabric

from unblemish.evaluation.provenance import provenance
from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_weights
from unblemish.training.callbacks import Callback, FitResult, Journal
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.data import PatchSource
from unblemish.training.division import load_data
from unblemish.training.errors import TrainingError
from unblemish.training.fit import LAST, fit
from unblemish.training.lifelong_part import ExpertsPart, ReplayPart
from unblemish.training.recipe import Recipe
from unblemish.training.search_part import DECIDING
from unblemish.training.task import RestorationTask, Task, TaskBuilder
from unblemish.training.validation import Validation

DESCRIPTION = "training.yaml"
LOCK = ".lock"
FIXED = (
    "network.name",
    "network.options",
    "data.pairs",
    "data.patch",
    "data.gray",
    "data.scales",
    "degradations",
    "task",
    "contrast",
    "perceptual",
    "golf",
    "lifelong",
    *DECIDING,
    "optimiser.kind",
    "validation.folder",
    "validation.pictures",
    "batch",
    "ema",
    "seed",
)
"""Keys and parts of a recipe that must stay when a training is resumed: others would make it another training."""
METHODS = ("contrast", "perceptual", "golf", "lifelong", "search")
"""Parts of a recipe that methods carry out."""


def build_task(recipe: Recipe, *, use_start: bool = True) -> Task:
    """Plain restoration: the network of the recipe, with its starting weights if `use_start`, and the recipe's loss.

    Raises:
        TrainingError: The recipe asks for a method, or the network enlarges by another factor than the recipe shrinks.
        NetworkError: The network, its options or its weights are not right.
    """
    if method := next((key for key in METHODS if getattr(recipe, key)), None):
        raise TrainingError(f"the recipe has a part '{method}': give train(..., build=restoration.methods.build_task)")
    return plain_task(recipe, use_start=use_start)


def plain_task(recipe: Recipe, *, use_start: bool = True) -> RestorationTask:
    """`build_task` without what methods add, for methods that wrap it."""
    network = create(recipe.network.name, recipe.network.options)
    if recipe.data.gray != recipe.network.options.get("gray", False):
        raise TrainingError(
            f"network {recipe.network.name} is not for the pictures: set network.options.gray and data.gray both, for "
            "networks that have this option, or neither"
        )
    if recipe.data.pairs and network.scale > 1:
        raise TrainingError(
            f"network {recipe.network.name} enlarges pictures {network.scale} times, but data.pairs are of one size; "
            "choose another network, or leave data.pairs out and shrink clean pictures with degradations.shrink"
        )
    if network.scale != recipe.degradations.shrink:
        raise TrainingError(
            f"network {recipe.network.name} enlarges pictures {network.scale} times, but they are shrunk "
            f"{recipe.degradations.shrink} times; set degradations.shrink={network.scale}"
        )
    if recipe.network.start and use_start:
        load_weights(network, recipe.network.start)
    return RestorationTask(network, recipe.task.loss)


def train(
    recipe: Recipe,
    folder: Path,
    *,
    build: TaskBuilder = build_task,
    resume: bool = False,
    devices: int | str = 1,
    accelerator: str = "auto",
    callbacks: Sequence[Callback] = (),
    command: Sequence[str] = ("unblemish.training.run.train",),
) -> FitResult:
    """Carries out a recipe; results stand in `folder` (see `fit`), with the resolved recipe and where it ran.

    With several devices this process starts the others by running the program's command line again.

    Args:
        recipe: What to train.
        folder: Made if missing.
        build: Makes the task; the default knows plain restoration alone.
        resume: Go on from `folder/last.ckpt`.
        devices: How many devices of the accelerator, or "auto" for all.
        accelerator: "auto" takes a GPU where there is one; "cpu", "cuda", "mps".
        callbacks: Told of progress besides the journal.
        command: Words of the command line, for the records.

    Raises:
        TrainingError: The folder holds another training, the data cannot be used, or the training failed.
    """
    state = _open(recipe, folder, resume)
    fabric = _launch(recipe, devices, accelerator)
    if fabric.world_size > 1:
        _refuse_several_devices(recipe)
    task = build(recipe, use_start=not resume)
    _same_facts(state, task.facts(), folder / LAST)
    data = load_data(recipe)
    facts = _facts(task, data, fabric)
    _make(folder)
    result, watchers = None, []
    try:
        with _alone(folder) if fabric.is_global_zero else contextlib.nullcontext(), stop_on_signal() as asked:
            if fabric.is_global_zero:
                watchers = [Journal(folder), *callbacks]
                _describe(recipe, folder, state, facts, command)
            for watcher in watchers:
                watcher.on_start(state.step, recipe.steps, facts)
            result = fit(
                recipe, task, data, folder,
                fabric=fabric, state=state, callbacks=watchers, should_stop=asked.is_set,
            )  # fmt: skip
        return result
    except OSError as error:
        raise TrainingError(
            f"{folder}: cannot be written ({error.strerror or error}); free space there or check its "
            "permissions, then add --resume"
        ) from error
    finally:
        for watcher in watchers:
            watcher.on_end(result)


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
    before = {int(number): signal.getsignal(number) for number in wanted}

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


def _open(recipe: Recipe, folder: Path, resume: bool) -> Checkpoint:
    """The state to start from; what changed in the recipe since then goes into its history."""
    path = folder / LAST
    if not resume:
        if path.exists():
            raise TrainingError(f"{folder}: holds a training already; add --resume to go on, or choose another folder")
        return Checkpoint.start(recipe)
    state = Checkpoint.load(path)
    before, now = Recipe.parse(state.recipe, str(path)).flat(), recipe.flat()
    changed = [key for key in {**before, **now} if now.get(key) != before.get(key)]
    if fixed := [key for key in changed if any(key == part or key.startswith(f"{part}.") for part in FIXED)]:
        raise TrainingError(
            f"{path}: was trained with another recipe ({', '.join(fixed)} differ); give the same one, or "
            "train anew in another folder with network.start"
        )
    if state.step >= recipe.steps:
        raise TrainingError(f"{path}: all {state.step} steps are done; give more with steps=N to go on")
    if "validation.crop" in changed:
        state.best = Checkpoint.start(recipe).best  # scores on other crops do not compare
    state.recipe = recipe.model_dump(mode="json")
    state.history += [f"step {state.step}: {key} changed from {before.get(key)} to {now.get(key)}" for key in changed]
    return state


def _same_facts(state: Checkpoint, found: dict[str, Any], path: Path) -> None:
    """Notes what the task found at the start, and complains where a resumption finds something else."""
    if state.step and state.facts and state.facts != found:
        raise TrainingError(
            f"{path}: was trained with {state.facts}, and would now go on with {found}; give the same files and "
            "environment variables as then"
        )
    state.facts = found


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other processes from training in the same folder; the system takes the lock from one that dies."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TrainingError(
            f"{folder}: another process trains here; wait for it to end, or choose another folder, or other runs"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder with --output"
        ) from error


def _launch(recipe: Recipe, devices: int | str, accelerator: str) -> Fabric:
    """A Fabric whose processes run, with equal seeds; the library tells the user nothing but warnings."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices, precision=recipe.precision)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"devices={devices} of accelerator={accelerator} cannot be had: {reason}") from error
    fabric.launch()
    fabric.seed_everything(recipe.seed, verbose=False)
    return fabric


def _refuse_several_devices(recipe: Recipe) -> None:
    """Raises TrainingError for what learns on one device alone."""
    reason = ""
    if recipe.search:
        reason = "a search runs on one device, its architecture being learnt there"
    elif isinstance(recipe.lifelong, ExpertsPart):
        reason = "experts learn on one device, as a batch need not have patches for each of them"
    elif isinstance(recipe.lifelong, ReplayPart):
        reason = "a replay runs on one device, its discriminator being learnt there"
    if reason:
        raise TrainingError(f"{reason}; leave out --devices")


def _facts(task: Task, data: tuple[PatchSource, Validation], fabric: Fabric) -> dict[str, Any]:
    """What is found out at the start: for the journal, the console and the description."""
    source, validation = data
    return {
        "device": str(fabric.device),
        "devices": fabric.world_size,
        "parameters": task.network.parameter_count,
        "pictures": len(source),
        "protocol": str(validation.protocol),
        "broken": [*validation.broken.values(), *source.broken.values()],
        **task.facts(),
    }


def _describe(recipe: Recipe, folder: Path, state: Checkpoint, facts: dict[str, Any], command: Sequence[str]) -> None:
    """Adds this start to the history, and writes what is trained how and where beside the checkpoint."""
    record = provenance(command, seeds=[recipe.seed], seconds=state.seconds)
    revision = record["revision"] or {"commit": "unknown", "dirty": False}
    commit = revision["commit"] + (" with changes" if revision["dirty"] else "")
    state.history.append(
        f"step {state.step}: started {record['date']}, revision {commit}, "
        f"torch {record['versions']['torch']}, {facts['devices']} x {facts['device']}: {record['command']}"
    )
    content = {
        "recipe": recipe.model_dump(mode="json"),
        "facts": facts,
        "provenance": record,
        "history": state.history,
    }
    partial = folder / f".{DESCRIPTION}.partial"
    partial.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    os.replace(partial, folder / DESCRIPTION)
