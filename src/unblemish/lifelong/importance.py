"""How much each shared weight matters for old tasks: what EWC holds weights by."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from unblemish.lifelong.growing import shared_parameters
from unblemish.networks.lira import Lira
from unblemish.training.losses import Loss
from unblemish.training.task import Batch


def fisher_information(network: Lira, batches: Iterable[tuple[int, Batch]], loss: Loss) -> list[Tensor]:
    """Mean squared gradient of old tasks' losses, the diagonal of the empirical Fisher information.

    Gradients are taken patch by patch. They are divided by their mean over all weights, so that lambda means the same
    for networks and losses of any size.

    Args:
        network: Grown, with the weights that old tasks had; its gradients are left empty.
        batches: Of old tasks by number.
        loss: Of the old tasks.

    Returns:
        One tensor for each of `growing.shared_parameters`, in its shape; zeros where a weight is of no use to them.
    """
    parameters = shared_parameters(network)
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    for task, batch in batches:
        path = network.on_task(task)
        for row in range(len(batch.clean)):
            own = slice(row, row + 1)
            value = loss(path(batch.degraded[own]).float(), batch.clean[own])
            gradients = torch.autograd.grad(value, parameters, allow_unused=True)
            for total, gradient in zip(sums, gradients, strict=True):
                if gradient is not None:
                    total += gradient.square()
    mean = torch.cat([total.flatten() for total in sums]).mean().clamp(min=torch.finfo(torch.float32).tiny)
    return [total / mean for total in sums]
