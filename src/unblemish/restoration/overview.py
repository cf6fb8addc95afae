"""Overview: a small copy of the whole picture says how bright its parts are, and of what colour.

Haze, and whatever else changes a picture as a whole, cannot be told from what a scene is like by looking at some dozens
of pixels: a network that does restores parts unevenly. It sees everything at once in a copy of the picture that is no
larger than what it sees. What it makes of that copy is right in its tones, and what it makes of the picture in its
details. So each place and channel of the latter gets the mean and the standard deviation that it has in the former.

Source: Reinhard, Ashikhmin, Gooch, Shirley, "Color Transfer between Images", IEEE Computer Graphics and Applications
2001, for whole pictures; around each place, with coefficients found at a small size, smoothed and enlarged, as in He,
Sun, "Fast Guided Filter", arXiv 1505.00996. That filter's slopes, covariance over variance, would lose details wherever
the two restorations differ.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from unblemish.pictures.picture import Pixels, to_float

Floats = NDArray[np.float32]

RADIUS = 2
"""Pixels of the copy that a place reaches to each side."""

EPSILON = 1e-3
"""Added to variances, white being 1: where there is less contrast than its square root, details stay as they are."""


class Tones(NamedTuple):
    """How the tones of a restored picture are to change: each value v to slope * v + offset.

    Attributes:
        slope: `(h, w, C)` at the size of the copy; positive.
        offset: The same.
    """

    slope: Floats
    offset: Floats

    @classmethod
    def between(cls, shown: Floats, wanted: Floats) -> Tones:
        """The change that makes each place as bright and as rich in contrast as it is wanted.

        Args:
            shown: The restored picture, shrunk, `(h, w, C)`.
            wanted: The restored copy, `(h, w, C)`.
        """
        old, new = (torch.from_numpy(np.moveaxis(x, 2, 0).astype(np.float64)) for x in (shown, wanted))  # (C, h, w)
        mean, target = _around(old), _around(new)
        slope = ((_variance(new, target) + EPSILON) / (_variance(old, mean) + EPSILON)).sqrt()
        return cls(*(_around(x).permute(1, 2, 0).float().numpy() for x in (slope, target - slope * mean)))

    def widened(self, width: int) -> Tones:
        """As many columns as the picture has, linear between those of the copy."""
        return Tones(*(_stretched(x.swapaxes(0, 1), np.arange(width), width).swapaxes(0, 1) for x in self))

    def change(self, rows: Floats, first: int, height: int) -> Floats:
        """Some rows of the picture with the new tones.

        Args:
            rows: `(n, W, C)`, restored; W columns are what the tones were widened to.
            first: Number of the first row.
            height: Of the picture.

        Returns:
            `(n, W, C)` in [0, 1].
        """
        places = np.arange(first, first + len(rows))
        slope, offset = (_stretched(x, places, height) for x in self)
        return np.clip(slope * rows + offset, 0.0, 1.0)


def shrunk(pixels: Pixels, longest: int) -> Floats:
    """Means over even areas.

    Args:
        pixels: `(H, W, C)` of any sample type, larger than the result; values outside [0, 1] count as the nearest
            inside, NaN as 0.
        longest: Side of the result in pixels, the longer one.

    Returns:
        `(h, w, C)` float32 in [0, 1].
    """
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    down, across = (_edges(side, max(1, round(side * scale))) for side in (height, width))
    means = []
    for top, bottom in pairwise(down):
        row = bounded(to_float(pixels[top:bottom])).mean(axis=0, dtype=np.float64)  # (W, C)
        means.append(np.add.reduceat(row, across[:-1], axis=0) / np.diff(across)[:, None])
    return np.stack(means).astype(np.float32)


def bounded(values: Floats) -> Floats:
    """Values within [0, 1]: NaN as 0, all others as the nearest one."""
    if values.size and values.min() >= 0 and values.max() <= 1:  # false where there is a NaN
        return values
    finite = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(finite, 0.0, 1.0).astype(np.float32, copy=False)


def _around(x: Tensor) -> Tensor:
    """Means over squares; at the edges over what is there. `(C, h, w)` to the same."""
    return avg_pool2d(x[None], 2 * RADIUS + 1, stride=1, padding=RADIUS, count_include_pad=False)[0]


def _variance(x: Tensor, mean: Tensor) -> Tensor:
    return (_around(x * x) - mean * mean).clamp(min=0)


def _edges(side: int, parts: int) -> NDArray[np.intp]:
    return np.linspace(0, side, parts + 1).round().astype(np.intp)


def _stretched(x: Floats, places: NDArray[np.intp], size: int) -> Floats:
    """Values at some places of a first axis that is stretched to `size`, linear in between."""
    at = np.clip((places + 0.5) * len(x) / size - 0.5, 0, len(x) - 1)
    low = np.minimum(at.astype(np.intp), max(len(x) - 2, 0))
    share: Floats = (at - low).astype(np.float32)[:, None, None]
    below, above = x[low], x[np.minimum(low + 1, len(x) - 1)]
    return np.add(below, share * (above - below), dtype=np.float32)
