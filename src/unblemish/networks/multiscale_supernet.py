"""The supernet of the multi-scale search space: both modules in every column, mixed by learnt weights.

Source: Gou et al., "CLEARER", NeurIPS 2020, Eq. 1 with its continuous relaxation: a column computes
`alpha_p * parallel(y) + alpha_f * fusion(y)`, with the two alphas the softmax of two logits.

Deviations: none by default. In the released code the parallel module overwrites its input, so that the fusion module
sees `parallel(y)` instead of `y`; `in_place` does the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from unblemish.networks.multiscale import FUSION, PARALLEL, SEPARATOR, MultiScale, MultiScaleNetwork, parse_architecture
from unblemish.networks.multiscale_modules import Branches, Fusion, Parallel

_SPREAD = 1e-3
"""Standard deviation of the logits at the start."""


class MixedColumn(nn.Module):
    """Both candidates of a column and their mixture (Eq. 1).

    Args:
        widths: Of the branches.
        in_place: Whether the fusion module sees what the parallel one made.
    """

    def __init__(self, widths: Sequence[int], in_place: bool) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.parallel = Parallel(widths)
        self.fusion = Fusion(widths)
        self.logits = nn.Parameter(_SPREAD * torch.randn(2))
        self.in_place = in_place

    def alphas(self) -> Tensor:
        """`(2,)` float32: the weights of the parallel and of the fusion module, which sum to one."""
        return self.logits.float().softmax(0)

    def forward(self, branches: Branches) -> Branches:
        """The mixture of what both modules make of the branches."""
        weights = self.alphas().to(self.logits.dtype)
        parallel = self.parallel(branches)
        fusion = self.fusion(parallel if self.in_place else branches)
        return [weights[0] * p + weights[1] * f for p, f in zip(parallel, fusion, strict=True)]


class MultiScaleSupernet(MultiScaleNetwork):
    """Every network of the search space at once, `2 ** columns` of them.

    Args:
        columns: Columns of each cell, such as "4/4/4".
        in_place: See the module's docstring.
        width: See `MultiScaleNetwork`, as the others.

    Raises:
        ValueError: `columns` is not of that form.
    """

    def __init__(self, columns: str, *, in_place: bool, width: int, gray: bool, residual: bool, fold: int) -> None:
        counts = columns.split(SEPARATOR)
        if not all(count.isdecimal() and int(count) for count in counts):
            raise ValueError(f"columns={columns!r} is not allowed; give the columns of each cell, such as 4/4/4")
        kinds = [(PARALLEL + FUSION,) * int(count) for count in counts]

        def column(cell: int, number: int, widths: Sequence[int]) -> nn.Module:
            return MixedColumn(widths, in_place)

        super().__init__(kinds, column, width=width, gray=gray, residual=residual, fold=fold)
        self._shape = {"width": width, "gray": gray, "residual": residual, "fold": fold}

    def mixed(self) -> Iterator[tuple[int, MixedColumn]]:
        """Every column with the number of its cell (from 0), from input to output."""
        for cell, columns in enumerate(self.cells):
            for column in cast(nn.ModuleList, columns):
                yield cell, cast(MixedColumn, column)

    def architecture_parameters(self) -> list[nn.Parameter]:
        """The logits of all columns, two each: what an architecture search learns besides the weights."""
        return [column.logits for _, column in self.mixed()]

    def alphas(self) -> Tensor:
        """`(columns, 2)` float32: the weights of parallel and fusion module of each column."""
        return torch.stack([column.alphas() for _, column in self.mixed()])

    def architecture(self) -> str:
        """The likeliest module of each column (discretisation), such as "FPPF/FFFF/PFFP"; P where both are equal."""
        cells = [""] * len(self.cells)
        for cell, column in self.mixed():
            cells[cell] += (PARALLEL, FUSION)[int(column.alphas().argmax())]
        return SEPARATOR.join(cells)

    def derive(self, architecture: str | None = None) -> MultiScale:
        """The plain network of an architecture with the weights that the supernet has for it.

        Args:
            architecture: One of the space; None takes `architecture()`.

        Raises:
            ValueError: It is not of the space.
        """
        chosen = self.architecture() if architecture is None else architecture
        letters = parse_architecture(chosen)
        if [len(cell) for cell in letters] != [len(cast(nn.ModuleList, cell)) for cell in self.cells]:
            raise ValueError(f"architecture={chosen!r} is not of the supernet's space, such as {self.architecture()}")
        derived = MultiScale(chosen, **self._shape).to(self.last.weight)
        weights = self.state_dict()
        taken = {}
        for key in derived.state_dict():
            part, *place = key.split(".")
            if part == "cells":
                cell, number, *rest = place
                kind = "parallel" if letters[int(cell)][int(number)] == PARALLEL else "fusion"
                taken[key] = weights[".".join((part, cell, number, kind, *rest))]
            else:
                taken[key] = weights[key]
        derived.load_state_dict(taken)
        return derived.train(self.training)


def multiscale_supernet(
    *,
    columns: str = "4/4/4",
    width: int = 32,
    gray: bool = False,
    residual: bool = False,
    fold: int = 1,
    in_place: bool = False,
) -> MultiScaleSupernet:
    """The published space of 4,096 architectures: three cells of four columns; 12,558,552 parameters."""
    return MultiScaleSupernet(columns, in_place=in_place, width=width, gray=gray, residual=residual, fold=fold)
