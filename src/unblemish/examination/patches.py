"""Where a picture is looked at: even square patches, spread over all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, stack

SIDE = 64
"""Height and width of a patch, pixels."""

LIMIT = 40
"""Most patches of a picture: enough for steady statistics, few enough for a second's work."""

PHASE = 8
"""Patches start at multiples of this, where JPEG's blocks start."""


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """Rows and columns of patches.

    Attributes:
        tops: First row of each row of patches.
        lefts: First column of each column of patches.
    """

    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def cut(self, picture: Tensor) -> Tensor:
        """Patches of a picture, row by row.

        Args:
            picture: `(3, H, W)`; sides below `SIDE` are continued by their last pixels.

        Returns:
            `(rows * columns, 3, SIDE, SIDE)`.
        """
        below, right = (max(0, SIDE - side) for side in picture.shape[1:])
        if below or right:
            picture = F.pad(picture[None], (0, right, 0, below), mode="replicate")[0]
        return stack([picture[:, t : t + SIDE, x : x + SIDE] for t in self.tops for x in self.lefts])


def spread(height: int, width: int) -> PatchGrid:
    """At most about `LIMIT` patches that do not overlap, spread evenly over a picture of that size."""
    rows, columns = max(1, height // SIDE), max(1, width // SIDE)
    thinning = min(1.0, math.sqrt(LIMIT / (rows * columns)))
    counts = (min(LIMIT, round(count * thinning)) for count in (rows, columns))
    tops, lefts = (_starts(side, count) for side, count in zip((height, width), counts, strict=True))
    return PatchGrid(tops, lefts)


def _starts(side: int, count: int) -> tuple[int, ...]:
    """`count` starts (at least one) from one end of a side to the other."""
    room = max(0, side - SIDE)
    if count <= 1:
        return (room // 2 // PHASE * PHASE,)
    return tuple(room * k // (count - 1) // PHASE * PHASE for k in range(count))
