"""The training loop. Devices, precision and several processes come from Lightning Fabric; methods come as Tasks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from unblemish.networks.base import Network
from unblemish.networks.loading import save_weights
from unblemish.training.averaging import WeightAverage
from unblemish.training.callbacks import Callback
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.data import PatchSource, to_batch
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.schedule import rate_factor
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Batch, Task
from unblemish.training.validation import Validation

LAST, BEST, FINAL = "last.ckpt", "best.safetensors", "final.safetensors"


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a training ended: steps done, seconds trained in all, best mean gain in dB and the step it came at."""

    steps: int
    seconds: float
    best_gain: float
    best_step: int


def fit(
    recipe: Recipe,
    task: Task,
    source: PatchSource,
    validation: Validation,
    folder: Path,
    *,
    fabric: Fabric,
    checkpoint: Checkpoint | None = None,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> FitResult:
    """Trains `task` to the recipe's last step, or until `should_stop`, and leaves checkpoint and weights in `folder`.

    `folder` gets `last.ckpt` (to go on from), `best.safetensors` (averaged weights of the best validation) and, at
    the last step, `final.safetensors`. 2N steps equal N steps, a resumption and N steps, bit for bit.

    Raises:
        TrainingError: A loss term is not finite, or a file cannot be written. The last checkpoint stays.
    """
    average = WeightAverage(task.network, recipe.ema)
    network = task.network
    average.network.to(fabric.device)
    optimiser = torch.optim.AdamW(
        task.trainable(), recipe.optimiser.rate, recipe.optimiser.betas, weight_decay=recipe.optimiser.weight_decay
    )
    state = checkpoint or Checkpoint(0, recipe.model_dump(mode="json"), {}, {}, {}, {"gain": -np.inf, "step": 0}, 0.0, [])
    if checkpoint:
        task.load_state_dict(state.task)
        average.network.load_state_dict(state.average)
    wrapped, wrapped_optimiser = fabric.setup(torch.compile(task) if recipe.compile else task, optimiser)
    if checkpoint:
        optimiser.load_state_dict(state.optimiser)
    synthesis = Synthesis(recipe.degradations.names, recipe.degradations.clean)
    watchers = callbacks if fabric.is_global_zero else ()
    started, trained_before = time.monotonic(), state.seconds

    def validate(step: int, batches: int | None = None) -> dict[str, float]:
        with fabric.autocast():
            return validation.score(average.network, fabric.device, batches)

    def save(step: int) -> None:
        state.step, state.seconds = step, trained_before + time.monotonic() - started
        state.task, state.average = task.state_dict(), average.network.state_dict()
        state.optimiser = optimiser.state_dict()
        if fabric.is_global_zero:
            state.save(folder / LAST)
        fabric.barrier()

    validate(state.step, batches=2)
    step = state.step
    for step in range(state.step + 1, recipe.steps + 1):
        rate = recipe.optimiser.rate * rate_factor(
            step - 1, steps=recipe.steps, warmup=recipe.optimiser.warmup, floor=recipe.optimiser.floor
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = draw_batch(recipe, source, synthesis, step, fabric)
        terms = wrapped(batch)
        scalars = named_scalars(terms, step)
        fabric.backward(terms["loss"])
        fabric.clip_gradients(wrapped, wrapped_optimiser, max_norm=recipe.optimiser.clip, error_if_nonfinite=False)
        wrapped_optimiser.step()
        wrapped_optimiser.zero_grad()
        task.after_step(step)
        average.update(network, step)
        for watcher in watchers:
            watcher.on_step(step, scalars, rate)
        if step % recipe.validation.every == 0 or step == recipe.steps:
            _after_validation(state, step, validate(step), average.network, folder, fabric, watchers)
        stopping = should_stop()
        if step % recipe.save_every == 0 or step == recipe.steps or stopping:
            save(step)
        if stopping:
            break
    if step == recipe.steps and fabric.is_global_zero:
        save_weights(average.network, folder / FINAL, {"step": str(step)})
    return FitResult(step, state.seconds, state.best["gain"], int(state.best["step"]))


def step_seed(seed: int, rank: int, step: int) -> int:
    """A 63-bit seed for what one device draws in one step."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{rank}/{step}".encode()).digest()[:8]) >> 1


def draw_batch(recipe: Recipe, source: PatchSource, synthesis: Synthesis, step: int, fabric: Fabric) -> Batch:
    """The batch of one step on this device; also sets PyTorch's global generators for the step."""
    seed = step_seed(recipe.seed, fabric.global_rank, step)
    torch.manual_seed(seed)
    patches = source.batch(recipe.batch, np.random.default_rng(seed))
    clean = fabric.to_device(to_batch(patches)).contiguous(memory_format=torch.channels_last)
    return Batch(synthesis(clean, seed), clean)


def named_scalars(terms: dict[str, Tensor], step: int) -> dict[str, float]:
    """The scalar terms of a step as numbers.

    Raises:
        TrainingError: One of them is not finite; the message names it.
    """
    names = [name for name, value in terms.items() if value.ndim == 0]
    values = torch.stack([terms[name].detach().float() for name in names]).tolist()
    for name, value in zip(names, values, strict=True):
        if not np.isfinite(value):
            raise TrainingError(
                f"step {step}: the term '{name}' is {value}; the last checkpoint is kept. "
                "Lower optimiser.rate or optimiser.clip and --resume, or train with precision=32-true"
            )
    return dict(zip(names, values, strict=True))


def _after_validation(
    state: Checkpoint,
    step: int,
    scores: dict[str, float],
    averaged: Network,
    folder: Path,
    fabric: Fabric,
    watchers: Sequence[Callback],
) -> None:
    best = scores["gain"] > state.best["gain"]
    if best:
        state.best = {"gain": scores["gain"], "step": step}
        if fabric.is_global_zero:
            save_weights(averaged, folder / BEST, {"step": str(step)})
    for watcher in watchers:
        watcher.on_validation(step, scores, best)
