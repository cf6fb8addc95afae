"""A picture of many small damaged ones, to measure speed and its price in quality in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.throughput import smooth_patches
from unblemish.errors import UserError
from unblemish.evaluation.cases import Case, CaseSet
from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset

CELL = 256
"""Side of the pieces in pixels."""

PROTOCOL = preset("rgb")
"""How the pieces are compared."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Pieces of pictures, side by side.

    Attributes:
        damaged: `(1, 3, S, S)` float32 in [0, 1], on the 8-bit grid.
        clean: The same without damage; None where the picture is made up.
        pieces: What lies in the cells, row by row.
    """

    damaged: Tensor
    clean: Tensor | None
    pieces: tuple[str, ...]

    def scores(self, x: Tensor, y: Tensor) -> Tensor:
        """PSNR of each piece of `x` against `y`, both `(1, 3, S, S)`: `(pieces,)` in dB."""
        values = psnr(_cells(PROTOCOL.prepare(x)), _cells(PROTOCOL.prepare(y)))
        return values.clamp(max=PROTOCOL.psnr_ceiling)


def made_up(size: int) -> Mosaic:
    """Smooth noise with structure at several scales, without a clean original, the same at each call."""
    return Mosaic(quantise_8bit(smooth_patches(1, size, torch.Generator().manual_seed(0))), None, ())


def mosaic(sets: Sequence[CaseSet], size: int) -> Mosaic:
    """Fills a picture with the middles of damaged pictures, one of each set in turn.

    Args:
        sets: Pictures with damage; those smaller than a cell are left out.
        size: Side S of the result, rounded up to whole cells.

    Raises:
        UserError: A set has no picture that is large enough.
    """
    side = -(-size // CELL)
    wanted = -(-(side**2) // len(sets))
    columns = [_large_ones(case_set, wanted) for case_set in sets]
    found = [(case_set.name, columns[j][i % len(columns[j])]) for i in range(wanted) for j, case_set in enumerate(sets)]
    chosen = found[: side**2]
    pieces = tuple(f"{name}: {case.name}" for name, case in chosen)
    return Mosaic(
        _joined([_middle(case.damaged) for _, case in chosen], side),
        _joined([_middle(case.clean) for _, case in chosen], side),
        pieces,
    )


def _large_ones(case_set: CaseSet, wanted: int) -> list[Case]:
    """The first so many usable pictures, or fewer where there are fewer."""
    found: list[Case] = []
    for case in case_set:
        if isinstance(case, Case) and min(case.clean.shape[-2:]) >= CELL:
            found.append(case)
        if len(found) == wanted:
            break
    if not found:
        raise UserError(f"{case_set.source} has no picture of {CELL} x {CELL} pixels or more; choose another folder")
    return found


def _middle(picture: Tensor) -> Tensor:
    """`(1, 3, H, W)` to `(1, 3, CELL, CELL)`."""
    top, left = ((length - CELL) // 2 for length in picture.shape[-2:])
    return picture[..., top : top + CELL, left : left + CELL]


def _joined(cells: list[Tensor], side: int) -> Tensor:
    rows = [torch.cat(cells[row * side : (row + 1) * side], dim=3) for row in range(side)]
    return torch.cat(rows, dim=2)  # (1, 3, side * CELL, side * CELL)


def _cells(picture: Tensor) -> Tensor:
    """`(1, 3, S, S)` to `(pieces, 3, cell, cell)`; a picture that is no whole number of cells is one piece."""
    if picture.shape[-1] % CELL or picture.shape[-2] % CELL:
        return picture
    cells = picture[0].unfold(1, CELL, CELL).unfold(2, CELL, CELL)  # (3, rows, columns, CELL, CELL)
    return cells.permute(1, 2, 0, 3, 4).flatten(0, 1)  # (pieces, 3, CELL, CELL)
