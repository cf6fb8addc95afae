"""First-order statistics of a whole picture: offset, contrast and tone curve, which deep features hardly see.

Haze lifts the darkest tones and takes contrast, darkness bends the tone curve and leaves combs in the histogram.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST = 512
"""Sides from twice this on are thinned out to between this and twice as many pixels, except for the histogram."""

_QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
_CONTRAST_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_HISTOGRAM_PARTS = ((1, 64), (64, 160), (160, 255))
_LUMA = (0.299, 0.587, 0.114)
_NEIGHBOURHOOD = 15
"""Side of the dark channel's squares, pixels (He et al., CVPR 2009)."""


def describe(picture: Tensor) -> Tensor:
    """Quantiles of luma, of the dark and the bright channel and of saturation; local contrast; the histogram's combs.

    Args:
        picture: `(3, H, W)`, [0, 1].

    Returns:
        `(73,)`, float32.
    """
    steps = [max(1, side // LONGEST) for side in picture.shape[1:]]
    c = picture[:, :: steps[0], :: steps[1]]
    luma = torch.einsum("chw,c->hw", c, c.new_tensor(_LUMA))
    low, high = c.amin(0), c.amax(0)
    half = _NEIGHBOURHOOD // 2
    dark = -F.max_pool2d(-low[None], _NEIGHBOURHOOD, stride=half, padding=half)
    bright = F.max_pool2d(high[None], _NEIGHBOURHOOD, stride=half, padding=half)
    quantiles = luma.new_tensor(_QUANTILES)
    fields = (luma, dark, bright, (high - low) / (high + 1e-3))
    parts = [torch.quantile(field.flatten(), quantiles) for field in fields]
    return torch.cat((*parts, _local_contrast(luma), _combs(picture)))


def _local_contrast(luma: Tensor) -> Tensor:
    """`(9,)`: quantiles of the standard deviation in squares of 16 pixels, and how it goes with their brightness."""
    blocks = luma[None, None]
    side = min(16, *luma.shape)
    mean = F.avg_pool2d(blocks, side)
    deviation = (F.avg_pool2d(blocks.square(), side) - mean.square()).clamp(min=0.0).sqrt().flatten()
    logs, mean = (deviation + 2e-3).log(), mean.flatten()
    quantiles = torch.quantile(deviation, luma.new_tensor(_CONTRAST_QUANTILES))
    relation = ((logs - logs.mean()) * (mean - mean.mean())).mean()
    spreads = [x.std(unbiased=False) for x in (logs, mean)]
    return torch.cat(((quantiles + 1e-3).log(), torch.stack((logs.mean(), spreads[0], relation, spreads[1]))))


def _combs(picture: Tensor) -> Tensor:
    """`(12,)`: log roughness and log share of empty levels in three parts of the histogram, mean and most of RGB."""
    found = []
    for levels in (picture * 255).round().long().flatten(1):
        counts = torch.bincount(levels, minlength=256).float()
        share = counts / counts.sum()
        for low, high in _HISTOGRAM_PARTS:
            part, beside = share[low:high], (share[low - 1 : high - 1] + share[low + 1 : high + 1]) / 2
            found += [((part - beside).abs().sum() + 1e-3) / (part.sum() + 1e-3), (part == 0).float().mean()]
    combs = torch.stack(found).view(3, -1)
    return torch.cat(((combs.mean(0) + 1e-3).log(), (combs.amax(0) + 1e-3).log()))
