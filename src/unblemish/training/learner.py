"""What changes while training: a task's weights, their average and the optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.training.averaging import WeightAverage
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.recipe_parts import OptimiserPart
from unblemish.training.schedule import rate_factor
from unblemish.training.statistics import average_statistics
from unblemish.training.task import Batch, Task
from unblemish.training.validation import Validation


class Learner:
    """A task with its optimiser and averaged weights, on the device (or devices) of a Fabric.

    Args:
        recipe: Says how to optimise.
        task: Moved to the device, into channels_last memory, and changed in place.
        fabric: Launched already.
    """

    def __init__(self, recipe: Recipe, task: Task, fabric: Fabric) -> None:
        part = recipe.optimiser
        self.recipe = recipe
        self.task = task
        self.fabric = fabric
        lay_channels_last(task)
        self._average = WeightAverage(task.network, recipe.ema)
        self._average.network.to(fabric.device)
        self._optimiser = _optimiser(part, task)
        if recipe.compile:  # the network alone: tasks draw and count, which a compiler would follow in vain
            task.network.compile()
        # State is read and written through the bare task and optimiser: no wrapper's prefix gets into names.
        self._wrapped, self._stepper = fabric.setup(task, self._optimiser)

    @property
    def averaged(self) -> Network:
        """The network with averaged weights, in evaluation mode: what is validated and shipped."""
        return self._average.network

    def rate(self, step: int) -> float:
        """Learning rate of step number `step` (from 1)."""
        part = self.recipe.optimiser
        factor = rate_factor(
            step - 1, steps=self.recipe.steps, warmup=part.warmup, floor=part.floor, decay=part.decay
        )  # fmt: skip
        return part.rate * factor

    def learn(self, batch: Batch, step: int) -> dict[str, float]:
        """Does step number `step` (from 1).

        Returns:
            The task's scalar terms, averaged over the devices, and "gradient", the norm before clipping.

        Raises:
            TrainingError: A term or the gradient is not finite; the weights are then as before the step.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate(step) * group["factor"]
        terms = self._wrapped(batch)
        self.fabric.backward(terms["loss"])
        norm = self.fabric.clip_gradients(
            self._wrapped, self._stepper, max_norm=self.recipe.optimiser.clip, error_if_nonfinite=False
        )
        scalars = self._scalars({**terms, "gradient": cast(Tensor, norm)})
        require_finite(scalars, step)
        self._stepper.step()
        self._optimiser.zero_grad()
        self.task.after_step(step)
        self._average.update(self.task.network, step)
        return scalars

    def average_statistics(self, batches: Sequence[Tensor]) -> None:
        """Gives the averaged weights statistics of their own, see `statistics.average_statistics`."""
        with self.fabric.autocast():
            average_statistics(self.averaged, batches)

    def score(self, validation: Validation, step: int, batches: int | None = None) -> dict[str, float]:
        """Scores of the averaged weights after step number `step`, see `Task.score`.

        Raises:
            TrainingError: A score is not finite; the message names it.
        """
        with self.fabric.autocast():
            scores = self.task.score(self.averaged, validation, self.fabric.device, batches)
        require_finite(scores, step)
        return scores

    def store(self, state: Checkpoint, step: int) -> None:
        """Puts weights, average and optimiser into a checkpoint, as they are after step number `step`."""
        state.step = step
        state.task = self.task.state_dict()
        state.average = self.averaged.state_dict()
        state.optimiser = self._optimiser.state_dict()

    def restore(self, state: Checkpoint) -> None:
        """Takes weights, average and optimiser from a checkpoint; optimiser settings stay the recipe's."""
        self.task.load_state_dict(state.task)
        self.averaged.load_state_dict(state.average)
        settings = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({**state.optimiser, "param_groups": settings})

    def _scalars(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """The scalar terms as numbers, averaged over the devices so that all of them see one device's NaN."""
        names = [name for name, value in terms.items() if value.ndim == 0]
        values = self.fabric.all_reduce(torch.stack([terms[name].detach().float() for name in names]))
        return dict(zip(names, values.tolist(), strict=True))  # pyright: ignore[reportAttributeAccessIssue]


def _optimiser(part: OptimiserPart, task: Task) -> torch.optim.Optimizer:
    groups = [{"params": list(parameters), "factor": factor} for parameters, factor in task.rate_factors()]
    if part.kind == "sgd":
        return torch.optim.SGD(groups, part.rate, part.momentum, weight_decay=part.weight_decay, fused=True)
    return torch.optim.AdamW(groups, part.rate, part.betas, weight_decay=part.weight_decay, fused=True)


def lay_channels_last(task: Task) -> None:
    """Puts the weights of convolutions into channels_last memory in place, and no others.

    Gradients of other 4-D parameters come in the plain layout; several devices would have to copy each of them.
    """
    for module in task.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def require_finite(values: Mapping[str, float], step: int) -> None:
    """Checks numbers of one step.

    Raises:
        TrainingError: Some are infinite or not a number; the message names each.
    """
    wrong = ", ".join(f"'{name}' is {value}" for name, value in values.items() if not math.isfinite(value))
    if wrong:
        raise TrainingError(
            f"step {step}: {wrong}; go on from the last checkpoint, if there is one, with a lower optimiser.rate or "
            "optimiser.clip, or with precision=32-true; lower contrast.weight where there is one"
        )
