"""Losses on the architecture's weights: CLEARER (Gou et al., NeurIPS 2020), Eq. 4 and 5."""

from __future__ import annotations

import torch
from torch import Tensor


def architecture_loss(alphas: Tensor) -> Tensor:
    """L_Arch: how far the weights are from 0 and 1, their mean binary entropy (Eq. 4).

    The logarithm is the decimal one, as in the released code: the published lambda_1 belong to it.

    Args:
        alphas: `(columns, 2)`, in [0, 1].

    Returns:
        Scalar in [0, 0.301], 0 where every weight is 0 or 1.
    """
    entropy = torch.special.entr(alphas) + torch.special.entr(1 - alphas)  # in natural units
    return (entropy / torch.log(alphas.new_tensor(10.0))).mean()


def complexity_loss(alphas: Tensor, constants: Tensor) -> Tensor:
    """L_Comp: the mean cost of a column, each module's weighed by its alpha (Eq. 5).

    Averaged over the columns, as the released code does; Eq. 5 as printed divides by the number of alphas, which is
    half of this.

    Args:
        alphas: `(columns, 2)`.
        constants: `(columns, 2)`, costs of the parallel and the fusion module, see `complexity.normalised`.

    Returns:
        Scalar.
    """
    return (alphas * constants).sum(1).mean()
