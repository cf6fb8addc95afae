"""Where a contrastive term pulls, compared with the reconstruction loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from unblemish.contrast.task import ContrastTask
from unblemish.training.task import Batch


@dataclass(frozen=True, slots=True)
class Pull:
    """The gradient of the contrastive term beside that of the reconstruction loss, for one batch.

    Attributes:
        push: Ratio of their norms at the restored batch.
        weight_push: The same at the network's weights.
        alignment: Cosine between them at the restored batch: 1 where both want the same, -1 where they are at odds.
        weight_alignment: The same at the network's weights.
    """

    push: float
    weight_push: float
    alignment: float
    weight_alignment: float


def measure_pull(task: ContrastTask, batch: Batch) -> Pull:
    """Compares the gradients of one step; none is left behind in the task.

    Args:
        task: In whatever state it is.
        batch: On the task's device.
    """
    terms = task.inner(batch)
    output = terms["output"]
    term, _ = task.contrast(output, batch)
    (wanted,) = torch.autograd.grad(terms["loss"], output, retain_graph=True)
    (added,) = torch.autograd.grad(term, output)
    weights = [p for p in task.network.parameters() if p.requires_grad]
    at_weights = [_flat(torch.autograd.grad(output, weights, g, retain_graph=True)) for g in (added, wanted)]
    return Pull(
        _ratio(added, wanted), _ratio(*at_weights), _cosine(added.flatten(), wanted.flatten()), _cosine(*at_weights)
    )


def _flat(gradients: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([g.float().flatten() for g in gradients])


def _ratio(one: Tensor, other: Tensor) -> float:
    return float(one.norm() / other.norm())


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(cosine_similarity(one, other, dim=0))
