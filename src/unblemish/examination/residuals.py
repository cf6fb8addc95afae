"""Statistics of pixels against their neighbours: noise and its relation to brightness, impulses, blocks, strokes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 6
"""Bins of local brightness in which the residual is measured: Poisson noise grows from bin to bin."""

BLOCK = 8
"""Period of JPEG's blocks, pixels."""

IMPULSE = 40
"""Deviation from the median of the neighbourhood, in 8-bit levels, above which a pixel counts as an impulse."""

MOMENTS = 5 + 2 * LEVELS + 2 * BLOCK + 5 + 1 + 2 + 4
"""Values that `gather` returns for each patch."""

_KERNEL = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))
"""Second difference down of the second difference across: content mostly cancels."""


def gather(patches: Tensor) -> Tensor:
    """Moments and shares of each patch, to be averaged over patches and then described.

    Args:
        patches: `(P, 3, SIDE, SIDE)`, [0, 1]; the first row and column lie on a multiple of `BLOCK`.

    Returns:
        `(P, 45)`, float32.
    """
    p = patches * 255
    kernel = p.new_tensor(_KERNEL).expand(3, 1, 3, 3)
    residual = F.conv2d(p, kernel, groups=3)  # (P, 3, SIDE - 2, SIDE - 2)
    gray = residual.mean(1)
    shares = [
        residual.square().mean((1, 2, 3)),
        residual.abs().mean((1, 2, 3)),
        residual.square().square().mean((1, 2, 3)),
        gray.square().mean((1, 2)),
        gray.abs().mean((1, 2)),
        *_by_brightness(p, residual.abs()),
        *_by_phase(p),
        *_impulses(p),
        (residual.abs().amax(1) < 0.5).float().mean((1, 2)),
        (p >= 255).all(1).float().mean((1, 2)),
        (p <= 0).all(1).float().mean((1, 2)),
    ]
    for difference in (p[:, 0] - p[:, 1], p[:, 2] - p[:, 1]):
        second = 2 * difference[..., 1:-1] - difference[..., :-2] - difference[..., 2:]
        shares += [second.square().mean((1, 2)), second.abs().mean((1, 2))]
    return torch.stack(shares, dim=1)


def describe(moments: Tensor) -> Tensor:
    """Logarithms and ratios of what `gather` gave.

    Args:
        moments: `(..., 45)`, of one patch or averaged over patches.

    Returns:
        `(..., 37)`.
    """
    sizes = (5, 2 * LEVELS, 2 * BLOCK, 5, 1, 2, 4)
    noise, brightness, phases, impulses, flat, extremes, chroma = moments.split(sizes, dim=-1)
    energy = (noise + 1e-3).log()
    magnitude, count = brightness.unflatten(-1, (LEVELS, 2)).unbind(-1)
    whole = (noise[..., 1:2] + 0.1).log()
    by_level = torch.where(count > 1e-3, ((magnitude + 1) / (count + 1)).log() - whole, 0.0)
    edges = phases.unflatten(-1, (2, BLOCK))
    mean = edges.mean(-1) + 1e-3
    return torch.cat(
        (
            energy,
            energy[..., :1] - 2 * energy[..., 1:2],
            energy[..., 2:3] - 2 * energy[..., :1],
            energy[..., 3:4] - energy[..., :1],
            by_level,
            count / (count.sum(-1, keepdim=True) + 1e-3),
            (edges.amax(-1) / mean + 1e-3).log(),
            (edges[..., -1] / mean + 1e-3).log(),
            (impulses[..., :3] + 1e-5).log(),
            (impulses[..., 3:] + 1e-3).log(),
            (flat + 1e-3).log(),
            (extremes + 1e-5).log(),
            (chroma + 1e-3).log(),
            (chroma[..., :1] + 1e-3).log() - energy[..., :1],
        ),
        dim=-1,
    )


def _by_brightness(p: Tensor, magnitude: Tensor) -> list[Tensor]:
    """For each bin of local brightness: sum of the residual inside it, and number of its values."""
    base = F.avg_pool2d(p, 5, 1, 2, count_include_pad=False)[..., 1:-1, 1:-1]
    shares = []
    for level in range(LEVELS):
        low, high = 256 * level / LEVELS, 256 * (level + 1) / LEVELS
        inside = ((base >= low) & (base < high)).float()
        shares += [(magnitude * inside).sum((1, 2, 3)), inside.sum((1, 2, 3))]
    return shares


def _by_phase(p: Tensor) -> list[Tensor]:
    """Mean step between neighbours for each of the block's columns, then rows; the last ones cross its border."""
    across = F.pad((p[..., 1:] - p[..., :-1]).abs().mean((1, 2)), (0, 1))  # (P, SIDE)
    down = F.pad((p[..., 1:, :] - p[..., :-1, :]).abs().mean((1, 3)), (0, 1))
    return [x for steps in (across, down) for x in steps.unflatten(1, (-1, BLOCK))[:, :-1].mean(1).unbind(1)]


def _impulses(p: Tensor) -> list[Tensor]:
    """Shares of impulses, of extreme impulses and of extremes; first and second moment of the median's residual."""
    height, width = p.shape[-2:]
    shifted = [p[..., i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    middle = p[..., 1:-1, 1:-1]
    deviation = (middle - torch.stack(shifted).median(0).values).abs().amax(1)
    extreme = ((middle <= 2) | (middle >= 253)).all(1)
    impulse = deviation > IMPULSE
    shares = (impulse, impulse & extreme, extreme, deviation, deviation.square())
    return [x.float().mean((1, 2)) for x in shares]
