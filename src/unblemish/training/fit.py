"""The training loop. Devices, precision and processes come from Lightning Fabric; methods come as Tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric

from unblemish.networks.base import Network
from unblemish.networks.loading import save_weights
from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.callbacks import Callback, FitResult
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.data import PatchSource
from unblemish.training.errors import TrainingError
from unblemish.training.learner import Learner
from unblemish.training.recipe import Recipe
from unblemish.training.statistics import has_statistics, statistics_batches
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Task
from unblemish.training.validation import Validation

LAST, BEST, FINAL = "last.ckpt", "best.safetensors", "final.safetensors"
SANITY_BATCHES = 2


def fit(
    recipe: Recipe,
    task: Task,
    data: tuple[PatchSource, Validation],
    folder: Path,
    *,
    fabric: Fabric,
    state: Checkpoint,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> FitResult:
    """Trains `task` to the recipe's last step, or until `should_stop`.

    `folder` gets `last.ckpt` (to go on from), `best.safetensors` (averaged weights of the best validation),
    and `final.safetensors` at the last step. 2N steps equal N steps, a resumption and N steps, bit for bit.

    Args:
        recipe: What to do.
        task: What one step minimises; changed in place.
        data: Clean patches, and what scores the averaged weights (on every device alike).
        folder: Exists.
        fabric: Launched already.
        state: Where to start: `Checkpoint.start(recipe)` or one that was loaded. It is kept up to date.
        callbacks: Told of progress on the first device's process.
        should_stop: Asked after every step; one device's yes stops all, after a save.

    Raises:
        TrainingError: A number is not finite, or the checkpoint cannot be written. The last checkpoint stays.
        OSError: Weights cannot be written.
    """
    source, validation = data
    learner = Learner(recipe, task, fabric)
    if state.step:
        learner.restore(state)
    synthesis = Synthesis.of(recipe.degradations)
    statistics = statistics_batches(recipe, source, synthesis, fabric.device) if has_statistics(task.network) else []
    watchers = callbacks if fabric.is_global_zero else ()
    began = time.monotonic() - state.seconds
    learner.score(validation, state.step, batches=SANITY_BATCHES)
    for step in range(state.step + 1, recipe.steps + 1):
        seed = step_seed(recipe.seed, fabric.global_rank, step)
        terms = learner.learn(draw_batch(recipe, source, synthesis, seed, fabric.device), step)
        for watcher in watchers:
            watcher.on_step(step, terms, learner.rate(step))
        if step == recipe.steps or step % recipe.validation.every == 0:
            learner.average_statistics(statistics)
            _validate(learner, validation, state, folder, step, watchers)
        stopping = step == recipe.steps or _any_device(fabric, should_stop())
        if stopping or step % recipe.save_every == 0:
            learner.store(state, step)
            state.seconds = time.monotonic() - began
            _save_checkpoint(fabric, state, folder / LAST)
        if stopping:
            break
    if fabric.is_global_zero and state.step == recipe.steps:
        save_described(learner.averaged, folder / FINAL, recipe, state.step)
    return FitResult(state.step, recipe.steps, state.seconds, state.best["gain"], int(state.best["step"]))


def _validate(
    learner: Learner,
    validation: Validation,
    state: Checkpoint,
    folder: Path,
    step: int,
    watchers: Sequence[Callback],
) -> None:
    """Scores the averaged weights, keeps them if they are the best, and tells the task and the watchers."""
    scores = learner.score(validation, step)
    learner.task.after_validation(scores)
    best = _keep_if_best(learner, state, folder, scores["gain"], step)
    for watcher in watchers:
        watcher.on_validation(step, scores, best)


def _keep_if_best(learner: Learner, state: Checkpoint, folder: Path, gain: float, step: int) -> bool:
    """Whether this is the best mean gain so far; if so it is noted, and the averaged weights are written."""
    if gain <= state.best["gain"]:
        return False
    state.best = {"gain": gain, "step": step}
    if learner.fabric.is_global_zero:
        save_described(learner.averaged, folder / BEST, learner.recipe, step)
    return True


def _any_device(fabric: Fabric, flag: bool) -> bool:
    """Whether any device's process says yes; all get the same answer."""
    if fabric.world_size == 1:
        return flag
    votes = fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="sum")
    return bool(votes)


def _save_checkpoint(fabric: Fabric, state: Checkpoint, path: Path) -> None:
    """Saves from the first device's process; where that fails, all stop."""
    problem = None
    if fabric.is_global_zero:
        try:
            state.save(path)
        except TrainingError as error:
            problem = error
    if _any_device(fabric, problem is not None):
        raise problem or TrainingError(f"{path}: the first process could not write it; see its message")


def save_described(network: Network, path: Path, recipe: Recipe, step: int) -> None:
    """Writes weights whose header says which network they are for, and where they come from.

    Raises:
        OSError: The file cannot be written.
    """
    part = recipe.network
    options = json.dumps(part.options)
    save_weights(
        network,
        path,
        {"network": part.name, "options": options, "purpose": recipe.purpose, "step": str(step)},
    )
