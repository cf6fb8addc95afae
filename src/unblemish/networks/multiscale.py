"""Multi-scale networks of parallel, transition and fusion modules, as an architecture search finds them.

Source: Gou et al., "CLEARER: Multi-Scale Neural Architecture Search for Image Restoration", NeurIPS 2020, Fig. 1(c):
two bottlenecks at full resolution, then transitions, each followed by a cell of columns, then a fusion to full
resolution and a 1x1 convolution. Parameter counts of six architectures of its Table 5 are tests.

An architecture is written as the letters of its columns, P for a parallel and F for a fusion module, with a slash
between cells: "FPPF/FFFF/PFFP" has three cells of four columns, with two, three and four branches.

Deviations: none by default, for gray pictures. The global residual, folding for CPUs and the colour stem are ours.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.multiscale_modules import EXPANSION, Bottleneck, Fusion, Parallel, Transition

PARALLEL, FUSION = "P", "F"

SEPARATOR = "/"
"""Between the cells of an architecture."""

_START: Final = 1e-3
"""Standard deviation of all convolutions at the start; normalisation makes up for it."""


def parse_architecture(text: str) -> tuple[str, ...]:
    """The cells of an architecture such as "FPPF/FFFF/PFFP".

    Raises:
        ValueError: A cell is empty, or a column is neither P nor F.
    """
    cells = tuple(text.split(SEPARATOR))
    if not all(cells) or set("".join(cells)) - {PARALLEL, FUSION}:
        raise ValueError(
            f"architecture={text!r} is not allowed; give P (parallel) and F (fusion) for the columns, with a slash "
            "between cells, such as FPPF/FFFF/PFFP"
        )
    return cells


Column = Callable[[int, int, Sequence[int]], nn.Module]
"""Makes the module of a column from the number of its cell, its own number there and the widths of the branches."""


class MultiScaleNetwork(Network):
    """Stem, cells and tail around columns that the caller makes.

    A gray network takes `(B, 1, H, W)`; of colour pictures it restores each colour on its own.

    Args:
        kinds: What each column of each cell may be, in letters; cell i (from 0) has i + 2 branches.
        column: Makes them.
        width: Channels at full resolution, doubled with each halving.
        gray: Whether pictures have one channel.
        residual: Whether the result is added to the picture.
        fold: Side of the pixel squares that are folded into channels before the stem; 1 is as published.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(
        self, kinds: Sequence[Sequence[str]], column: Column, *, width: int, gray: bool, residual: bool, fold: int
    ) -> None:
        super().__init__()
        if width < 1 or fold < 1:
            raise ValueError(f"give a width and a fold from 1, not {width} and {fold}")
        self.planes = 1 if gray else self.channels
        self.residual = residual
        self.fold = fold
        self.size_multiple = fold * 2 ** len(kinds)
        self.receptive_field = _reach(kinds, fold)
        widths = [width * 2**level for level in range(len(kinds) + 1)]
        folded = self.planes * fold**2
        self.stem = nn.Sequential(Bottleneck(folded, width), Bottleneck(EXPANSION * width, width))
        self.transitions, self.cells = nn.ModuleList(), nn.ModuleList()
        for cell, columns in enumerate(kinds):
            lowest, there = EXPANSION * width if cell == 0 else widths[cell], widths[: cell + 2]
            self.transitions.append(Transition(lowest, there))
            self.cells.append(nn.ModuleList(column(cell, number, there) for number in range(len(columns))))
        self.fuse = Fusion(widths, outputs=1)
        self.last = nn.Conv2d(width, folded, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=_START)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)`, or `(B, 1, H, W)` for a gray network, to the same."""
        batch, channels, height, width = x.shape
        if channels == self.planes:
            return self._restore(x)
        return self._restore(x.reshape(-1, 1, height, width)).reshape(batch, channels, height, width)

    def _restore(self, x: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(x.to(self.last.weight.dtype), self.fold)  # (B, planes * fold^2, H / fold, W / fold)
        branches = [self.stem(folded)]
        for transition, columns in zip(self.transitions, self.cells, strict=True):
            branches = transition(branches)
            for column in cast(nn.ModuleList, columns):
                branches = column(branches)
        y = F.pixel_shuffle(self.last(self.fuse(branches)[0]), self.fold)  # (B, planes, H, W)
        return x + y if self.residual else y


class MultiScale(MultiScaleNetwork):
    """A network of the search space, each of whose columns is one module.

    Args:
        architecture: Such as "FPPF/FFFF/PFFP".
        width: See `MultiScaleNetwork`, as the others.
    """

    def __init__(self, architecture: str, *, width: int, gray: bool, residual: bool, fold: int) -> None:
        cells = parse_architecture(architecture)

        def column(cell: int, number: int, widths: Sequence[int]) -> nn.Module:
            return Parallel(widths) if cells[cell][number] == PARALLEL else Fusion(widths)

        super().__init__(cells, column, width=width, gray=gray, residual=residual, fold=fold)
        self.architecture = architecture


def _reach(kinds: Sequence[Sequence[str]], fold: int) -> int:
    """Input pixels an output pixel can see on each side.

    A branch is followed as the first folded pixel that each of its places sees, over one period of the coarsest grid.
    The last one is never farther away: enlarging widens the view towards the start only.
    """
    period = 2 ** len(kinds)

    def seen(branch: list[int], place: int) -> int:
        return branch[place % len(branch)] + place // len(branch) * period

    def convolved(branch: list[int], stride: int = 1) -> list[int]:
        return [seen(branch, stride * place - 1) for place in range(len(branch) // stride)]

    def fused(branches: list[list[int]], length: int) -> list[int]:
        parts = []
        for branch in branches:
            while len(branch) > length:
                branch = convolved(branch, stride=2)
            parts.append([seen(branch, place * len(branch) // length) for place in range(length)])
        return [min(pixels) for pixels in zip(*parts, strict=True)]

    branches = [convolved(convolved(list(range(period))))]
    for cell, columns in enumerate(kinds):
        lower = convolved(branches[-1], stride=2)
        branches = [*(branches if cell else map(convolved, branches)), lower]
        for letters in columns:
            parallel = [convolved(convolved(branch)) for branch in branches]
            fusion = [fused(branches, len(branch)) for branch in branches]
            made = [parallel] * (PARALLEL in letters) + [fusion] * (FUSION in letters)
            branches = [[min(pixels) for pixels in zip(*branch, strict=True)] for branch in zip(*made, strict=True)]
    reach = max(place - pixel for place, pixel in enumerate(fused(branches, period)))
    return fold * reach + fold - 1


def multiscale(
    *,
    architecture: str = "FPPF/FFFF/PFFP",
    width: int = 32,
    gray: bool = False,
    residual: bool = False,
    fold: int = 1,
) -> MultiScale:
    """CLEARER at its published width, with the architecture of Table 1 of its supplement for lambda_1 = 0.1.

    6,073,920 parameters in colour, 6,073,536 in gray.
    """
    return MultiScale(architecture, width=width, gray=gray, residual=residual, fold=fold)


def multiscale_compact(
    *,
    architecture: str = "FPPF/FFFF/PFFP",
    width: int = 16,
    gray: bool = False,
    residual: bool = True,
    fold: int = 2,
) -> MultiScale:
    """For CPUs: folded by two, residual on the picture, half the width; 1,523,840 parameters."""
    return MultiScale(architecture, width=width, gray=gray, residual=residual, fold=fold)
