"""Power spectra of patches: blurs leave their transfer functions, motion its direction, JPEG its grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unblemish.examination.patches import SIDE

RINGS = 24
"""Rings of equal width up to the highest frequency along an axis; one more for the corners beyond."""

SECTORS = 12
"""Sectors of half a turn in which middle frequencies are summed."""

MIDDLE = (0.08, 0.35)
"""Cycles a pixel between which sectors are summed: below, content rules; above, sampling."""

_FLOOR = 1e-7
_LUMA = (0.299, 0.587, 0.114)


def gather(patches: Tensor) -> Tensor:
    """Mean power in each ring, then in each sector, of each patch's luma.

    Args:
        patches: `(P, 3, SIDE, SIDE)`, [0, 1].

    Returns:
        `(P, RINGS + 1 + SECTORS)`, float32.
    """
    luma = torch.einsum("pchw,c->phw", patches, patches.new_tensor(_LUMA))
    window = torch.hann_window(SIDE, periodic=False)
    window = window[:, None] * window / window.square().mean()
    centred = (luma - luma.mean((1, 2), keepdim=True)) * window
    ring, sector, weight, radius = _plan()
    power = torch.fft.rfft2(centred).abs().square().flatten(1) * weight / SIDE**2  # (P, SIDE * (SIDE // 2 + 1))
    rings = power.new_zeros(len(power), RINGS + 1).index_add_(1, ring, power)
    inside = sector >= 0
    whitened = (power * radius.square())[:, inside]  # photographs fall off with the square of the frequency
    sectors = power.new_zeros(len(power), SECTORS).index_add_(1, sector[inside], whitened)
    ring_sizes = weight.new_zeros(RINGS + 1).index_add_(0, ring, weight)
    sector_sizes = weight.new_zeros(SECTORS).index_add_(0, sector[inside], weight[inside])
    return torch.cat((rings / ring_sizes, sectors / sector_sizes), dim=1)


def describe(moments: Tensor) -> Tensor:
    """Log power by ring; log power by sector against the sectors' mean, once in order of direction and once sorted.

    Args:
        moments: `(..., RINGS + 1 + SECTORS)`, of one patch or averaged over patches.

    Returns:
        `(..., RINGS + 1 + 2 * SECTORS)`.
    """
    logs = (moments + _FLOOR).log()
    rings, sectors = logs.split((RINGS + 1, SECTORS), dim=-1)
    sectors = sectors - sectors.mean(-1, keepdim=True)
    return torch.cat((rings, sectors, sectors.sort(-1).values), dim=-1)


def _plan() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each frequency of a real transform: ring, sector (-1 for none), how often it stands for, and its radius."""
    down, across = torch.fft.fftfreq(SIDE)[:, None], torch.fft.rfftfreq(SIDE)[None]
    radius = torch.hypot(down, across)
    ring = (radius / 0.5 * RINGS).long().clamp(max=RINGS)
    angle = torch.atan2(down.expand_as(radius), across.expand_as(radius))  # half a turn
    sector = (angle / math.pi * SECTORS).round().long() % SECTORS  # the first is centred on the horizontal
    sector[(radius <= MIDDLE[0]) | (radius >= MIDDLE[1])] = -1
    weight = torch.full_like(radius, 2.0)
    weight[:, 0] = weight[:, -1] = 1.0
    return ring.flatten(), sector.flatten(), weight.flatten(), radius.flatten()
