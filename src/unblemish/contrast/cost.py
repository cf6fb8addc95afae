"""What a contrastive loss costs over the plain task, and how hard it pushes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from unblemish.contrast.gradients import measure_pull
from unblemish.contrast.task import ContrastTask
from unblemish.training.task import Batch, Task


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one step, forwards and backwards; the optimiser's own step is the same for both and left out.

    Attributes:
        plain_seconds: Of the plain task, median.
        seconds: With the contrastive loss, median.
        plain_bytes: Kept from the forward pass for the backward pass by the plain task. What is freed before, as the
            features of negatives are, and the embedding's own weights are not counted.
        bytes: The same with the contrastive loss.
        state_bytes: Weights of negatives that are held all the time, and that checkpoints keep.
        push: See `gradients.Pull`.
    """

    plain_seconds: float
    seconds: float
    plain_bytes: int
    bytes: int
    state_bytes: int
    push: float


def measure_cost(task: ContrastTask, batch: Batch, *, bfloat16: bool, repeats: int) -> Cost:
    """Times the task and the one inside it in turns, after one step of each that is not counted.

    Args:
        task: Its gradients are left empty.
        batch: On the task's device.
        bfloat16: Under autocast, as in "bf16-mixed" training.
        repeats: Timed steps of each.
    """
    device = batch.clean.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        plain_bytes, whole_bytes = (_bytes_kept(lambda t=t: t(batch)["loss"]) for t in (task.inner, task))
        push = measure_pull(task, batch).push
    seconds: dict[str, list[float]] = {"plain": [], "whole": []}
    for number in range(repeats + 1):
        for name, one in (("plain", task.inner), ("whole", task)):
            taken = _seconds(one, batch, bfloat16)
            if number:
                seconds[name].append(taken)
    state = sum(p.nbytes for p in task.contrast.parameters())
    return Cost(median(seconds["plain"]), median(seconds["whole"]), plain_bytes, whole_bytes, state, push)


def _seconds(task: Task, batch: Batch, bfloat16: bool) -> float:
    device = batch.clean.device
    _wait(device)
    began = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        loss = task(batch)["loss"]
    loss.backward()
    _wait(device)
    taken = time.perf_counter() - began
    task.zero_grad(set_to_none=True)
    return taken


def _bytes_kept(forward: Callable[[], Tensor]) -> int:
    """Bytes of distinct tensors that a forward pass keeps for the backward pass, parameters left out."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        """Counts what is kept, once."""
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = forward()
    del loss
    return sum(kept.values())


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
