"""The architecture's gradient through one step of the weights.

Source: DARTS (Liu et al., ICLR 2019), Eq. 6 and 7: the gradient of L_val(w - xi grad_w L_train(w, a), a) by a. Its
second derivatives are exact, not the central differences of Eq. 8, which bfloat16 would drown. The step is plain
gradient descent, without momentum.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call

from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.losses import Loss
from unblemish.training.task import Batch


def unrolled_gradients(
    supernet: MultiScaleSupernet, loss: Loss, training: Batch, own: Batch, *, rate: float, weight_decay: float
) -> tuple[Tensor, ...]:
    """The second-order gradient of the restoration loss for each pair of logits.

    Args:
        supernet: In evaluation mode; weights, buffers and gradients stay as they are.
        loss: Of both levels.
        training: What the weights learn from.
        own: What the architecture learns from.
        rate: Of the unrolled step, xi.
        weight_decay: Of the unrolled step.

    Returns:
        As many as `supernet.architecture_parameters()`, in that order.
    """
    logits = supernet.architecture_parameters()
    apart = {id(one) for one in logits}
    weights = {name: p for name, p in supernet.named_parameters() if id(p) not in apart}

    def value(of: Mapping[str, Tensor], batch: Batch) -> Tensor:
        return loss(functional_call(supernet, dict(of), batch.degraded).float(), batch.clean)

    slopes = torch.autograd.grad(value(weights, training), list(weights.values()), create_graph=True)
    moved = {
        name: w - rate * (slope + weight_decay * w) for (name, w), slope in zip(weights.items(), slopes, strict=True)
    }
    return torch.autograd.grad(value(moved, own), logits)
