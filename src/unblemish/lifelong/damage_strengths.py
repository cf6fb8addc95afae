"""How strong damage is in each octave and in brightness, for generated damage to vary as much as real damage does.

A discriminator looks at one patch after the other: a generator that always does the same middling damage can deceive
it for long. Here the strengths in all places of a whole batch are compared, the weakest with the weakest and so on up
to the strongest: the Wasserstein distance of each strength by itself. Places are told apart so that coloured edges do
not pass for noise, which is also where a picture is smooth.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.training.losses import l1

OCTAVES = 4
"""Details of 1, 2, 4 and 8 pixels."""

PLACES = 4
"""Rows and columns of a picture's places, each with strengths of its own."""

FAINT, DIM = 0.01, 0.1
"""Added to strengths and to brightness before their logarithm, 2.5 and 25 steps of 8 bits: below, differences count
little."""


def strengths_apart(generated: Tensor, real: Tensor, clean: Tensor) -> Tensor:
    """How far two batches of damage are apart, over both what pictures show and what has changed in them.

    Args:
        generated: Damaged pictures, `(B, 3, H, W)` float32, [0, 1], H and W at least `2**OCTAVES`.
        real: The same, really damaged.
        clean: The same, undamaged.

    Returns:
        A scalar, in units of the natural logarithm: 0.7 where one is twice as strong. Its gradients flow to
        `generated`.
    """
    found, wanted = (
        torch.cat([strengths(damaged), strengths(damaged - clean)], dim=1).sort(dim=0).values
        for damaged in (generated, real)
    )
    return l1(found, wanted)


def strengths(pictures: Tensor) -> Tensor:
    """Logarithms of the mean absolute difference from the mean of two by two pixels, in each place and octave.

    Of what is left after the last octave, that of its mean.

    Args:
        pictures: `(B, 3, H, W)` float32; H and W are cut to even numbers in each octave.

    Returns:
        `(B * PLACES * PLACES, 7 * (OCTAVES + 1))`: of each colour, of their mean, and of their differences, R - B,
        G - R and B - G, by which noise is told from one tint.
    """
    found = []
    differences = pictures - pictures.roll(1, dims=1)  # (B, 3, H, W)
    level = torch.cat([pictures, pictures.mean(dim=1, keepdim=True), differences], dim=1)  # (B, 7, H, W)
    for _ in range(OCTAVES):
        coarse = F.avg_pool2d(level, 2)  # (B, 7, H / 2, W / 2)
        mean = F.interpolate(coarse, scale_factor=2)
        apart = (level[..., : mean.shape[-2], : mean.shape[-1]] - mean).abs()
        found.append(F.adaptive_avg_pool2d(apart, PLACES).movedim(1, -1).flatten(0, 2))
        level = coarse
    brightness = F.adaptive_avg_pool2d(level, PLACES).abs().movedim(1, -1).flatten(0, 2)
    return torch.cat([torch.cat(found, dim=1).add(FAINT).log(), brightness.add(DIM).log()], dim=1)
