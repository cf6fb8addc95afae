"""Modules of the multi-scale search space: what a column of it can be, and what stands around the columns.

Source: Gou et al., "CLEARER: Multi-Scale Neural Architecture Search for Image Restoration", NeurIPS 2020, Sec. 3.1 and
Fig. 1 of the supplement. Features are a list of branches, from full resolution downwards; each branch has half the
resolution and twice the channels of the one above.

Deviations: none from the released modules. The supplement repeats convolution and doubling for each octave of an
upsampling; released networks, whose parameter counts are the published ones, convolve once and enlarge at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Branches = list[Tensor]
"""`(B, widths[i], H / 2^i, W / 2^i)` for each branch i."""

EXPANSION: Final = 4
"""Output channels of a bottleneck over its inner ones."""


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, each normalised, around a shortcut; one of the two modules of the stem.

    Args:
        channels: Of the input.
        inner: Of the 3x3 convolution; the output has `EXPANSION` times as many.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        outer = EXPANSION * inner
        self.body = nn.Sequential(
            *_convolution(channels, inner, side=1), nn.ReLU(inplace=True),
            *_convolution(inner, inner), nn.ReLU(inplace=True),
            *_convolution(inner, outer, side=1),
        )  # fmt: skip
        self.shortcut = nn.Identity() if channels == outer else nn.Sequential(*_convolution(channels, outer, side=1))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, channels, H, W)` to `(B, EXPANSION * inner, H, W)`."""
        return F.relu(self.body(x) + self.shortcut(x))


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions around an identity; the last activation follows the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(width, width), nn.ReLU(inplace=True), *_convolution(width, width)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return F.relu(self.body(x) + x)


class Parallel(nn.Module):
    """Parallel module: a residual block on each branch, which keeps channels and resolution."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(width) for width in widths)

    def forward(self, branches: Branches) -> Branches:
        """Every branch on its own; the list that is passed in stays as it is."""
        return [block(x) for block, x in zip(self.blocks, branches, strict=True)]


class Transition(nn.Module):
    """Transition module: adds a branch of half the lowest resolution and leaves the others alone.

    The first one, which follows the stem, also takes that one's channels down to the width of the first branch.

    Args:
        channels: Of the lowest branch, or of the stem.
        widths: Of the branches there are after it.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        above, below = widths[-2], widths[-1]
        first = channels != above
        self.keep = nn.Sequential(*_convolution(channels, above), nn.ReLU()) if first else nn.Identity()
        self.lower = nn.Sequential(*_convolution(channels, below, stride=2), nn.ReLU())

    def forward(self, branches: Branches) -> Branches:
        """One branch more."""
        lowest = branches[-1]
        return [*branches[:-1], self.keep(lowest), self.lower(lowest)]


class Fusion(nn.Module):
    """Fusion module: every branch becomes the activated sum of all, brought to its resolution and channels.

    Args:
        widths: Of the branches.
        outputs: How many of them, from full resolution, are made; the last module of a network makes one.
    """

    def __init__(self, widths: Sequence[int], outputs: int | None = None) -> None:
        super().__init__()
        targets = range(len(widths) if outputs is None else outputs)
        self.paths = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target) for source in range(len(widths))) for target in targets
        )

    def forward(self, branches: Branches) -> Branches:
        """As many branches as `outputs`."""
        fused = []
        for paths in self.paths:
            assert isinstance(paths, nn.ModuleList)
            parts = [path(x) for path, x in zip(paths, branches, strict=True)]
            fused.append(F.relu(reduce(torch.add, parts)))
        return fused


def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """What brings branch `source` to the shape of branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:
        enlarge = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_convolution(widths[source], widths[target], side=1), enlarge)
    layers: list[nn.Module] = []
    for _ in range(target - source - 1):
        layers += [*_convolution(widths[source], widths[source], stride=2), nn.ReLU()]
    return nn.Sequential(*layers, *_convolution(widths[source], widths[target], stride=2))


def _convolution(channels: int, width: int, *, side: int = 3, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution without bias, which the normalisation behind it would undo."""
    return nn.Conv2d(channels, width, side, stride, side // 2, bias=False), nn.BatchNorm2d(width)
