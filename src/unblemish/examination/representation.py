"""Statistics of deep representations, channel by channel: generalised Gaussians of features and of their gradients.

GRIDS fits one (alpha, sigma) pair to everything; on one picture that pair moves with what the picture shows. A pair a
channel, and pairs of the features' differences between neighbouring pixels, hold content and damage apart.
"""

from __future__ import annotations

import torch
from torch import Tensor

BORDER = 2
"""Feature pixels at the patch's edges that are left out: they depend on the padding."""

MOMENTS = 6
"""Of each channel: absolute and square of the centred features, of differences across, and of differences down."""

_FLOOR = 1e-6


def gather(features: Tensor) -> Tensor:
    """First and second absolute moments of each patch.

    Args:
        features: `(P, C, h, w)`, floating point.

    Returns:
        `(P, MOMENTS * C)`, float32.
    """
    f = features[..., BORDER:-BORDER, BORDER:-BORDER].float()
    fields = (f - f.mean((2, 3), keepdim=True), f[..., 1:] - f[..., :-1], f[..., 1:, :] - f[..., :-1, :])
    return torch.cat([m for x in fields for m in (x.abs().mean((2, 3)), x.square().mean((2, 3)))], dim=1)


def describe(moments: Tensor) -> Tensor:
    """Log sigma and log E x^2 / (E |x|)^2, which fixes alpha, of each channel and field.

    Args:
        moments: `(..., MOMENTS * C)`, of one patch or averaged over patches.

    Returns:
        `(..., MOMENTS * C)`.
    """
    grouped = moments.unflatten(-1, (MOMENTS // 2, 2, -1)) + _FLOOR  # (..., 3, 2, C)
    first, second = grouped.unbind(-2)
    return torch.stack((second.log() / 2, second.log() - 2 * first.log()), dim=-2).flatten(-3)
