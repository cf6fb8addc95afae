"""Tiles: a picture worked on piece by piece, so that memory stays bounded and no seam shows.

The picture and its result stay in host memory in the sample type of the file; one row of tiles exists in
float at a time. Along each axis two neighbouring tiles share `2 * margin + blend` pixels:

    tile i      ...kept...|--- blend ---|- margin -|
    tile i + 1            |- margin -|--- blend ---|...kept...      (both drawn over the same shared pixels)

so that each tile drops the `margin` next to its inner edges, where it lacks surroundings, and both fade
into each other over `blend` pixels in between. With a `margin` of at least the network's receptive field,
and tiles that start at multiples of its stride, the tiled result is the whole result up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import Pixels, from_float, to_float

Floats = NDArray[np.float32]

TileFunction = Callable[[Floats], Floats]
"""`(h, w, C)` float32 to `(scale * h, scale * w, C)` float32; raises `TileTooLargeError` if it must."""

_ROWS_AT_ONCE = 64
"""Rows converted back to samples at a time: the temporaries of the conversion stay small."""


class TileTooLargeError(Exception):
    """The memory of the device does not suffice for a tile of this size; a smaller one may fit."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a picture is to be cut; lengths are pixels of the input.

    Attributes:
        tile: Longest side of a tile.
        margin: Pixels dropped next to a tile's inner edges, at least 0.
        blend: Pixels over which neighbours fade into each other, at least 1.
        multiple: Tiles start at multiples of this, and their sides are multiples of it but for the last.
        scale: Size of the result over the size of the picture.
    """

    tile: int
    margin: int = 16
    blend: int = 16
    multiple: int = 1
    scale: int = 1

    def __post_init__(self) -> None:
        if self.margin < 0 or min(self.blend, self.multiple, self.scale) < 1:
            raise ValueError(f"a tiling needs margin >= 0 and blend, multiple, scale >= 1: {self}")

    @property
    def overlap(self) -> int:
        """Least number of pixels two neighbours share, a multiple of `multiple`."""
        return _round_up(2 * self.margin + self.blend, self.multiple)

    @property
    def smallest(self) -> int:
        """Smallest tile: even tiles of this size move on by more than a blend, so no two blends touch."""
        return self.overlap + 2 * _round_up(self.blend, self.multiple) + 4 * self.multiple


@dataclass(frozen=True)
class AxisPlan:
    """The tiles along one axis of a picture, in input pixels.

    Attributes:
        spans: `(start, stop)` of each tile; all of one length, but for the last where the picture's size
            is no multiple of the stride.
        cuts: Where each tile's blend with the one before begins, and at the end where the axis ends.
        blend: Length of every blend.
        faded: Whether the first tile fades in too, because finished rows lie before it.
    """

    spans: tuple[tuple[int, int], ...]
    cuts: tuple[int, ...]
    blend: int
    faded: bool = False

    def kept(self, index: int) -> tuple[int, int]:
        """First and last-plus-one pixel that tile `index` contributes to."""
        last = index == len(self.spans) - 1
        return self.cuts[index], self.cuts[index + 1] + (0 if last else self.blend)

    def window(self, index: int, scale: int = 1) -> Floats:
        """Weights of tile `index` over its kept pixels at the result's size; all tiles' sum to one."""
        start, stop = self.kept(index)
        weights = np.ones((stop - start) * scale, np.float32)
        fade = self._fade(scale)
        if index > 0 or self.faded:
            weights[: fade.size] = fade
        if index < len(self.spans) - 1:
            weights[-fade.size :] = 1 - fade
        return weights

    def _fade(self, scale: int) -> Floats:
        """Half a cosine from 0 to 1, which meets its own complement without a kink."""
        steps = (np.arange(self.blend * scale) + 0.5) / (self.blend * scale)
        return (0.5 - 0.5 * np.cos(np.pi * steps)).astype(np.float32)


@dataclass(frozen=True)
class TilePlan:
    """Rows and columns of tiles over a picture."""

    rows: AxisPlan
    columns: AxisPlan

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows.spans) * len(self.columns.spans)

    @property
    def area(self) -> int:
        """Pixels in all tiles together: over the picture's area, it is what the overlaps cost."""
        return sum(b - a for a, b in self.rows.spans) * sum(b - a for a, b in self.columns.spans)


def plan_tiles(height: int, width: int, tiling: Tiling, first_row: int = 0) -> TilePlan:
    """Cuts a picture into the fewest even tiles that `tiling` allows.

    Args:
        height: Rows of the picture, at least 1.
        width: Columns of the picture, at least 1.
        tiling: How to cut; a `tile` below `tiling.smallest` is raised to that.
        first_row: Rows before it are finished, and the blend that starts there holds its share from above.

    Returns:
        The plan for the rows from `first_row` on.
    """
    return TilePlan(_plan_axis(height, tiling, first_row), _plan_axis(width, tiling))


def run_tiles(
    pixels: Pixels, tiling: Tiling, function: TileFunction, on_progress: Callable[[float], None] | None = None
) -> tuple[Pixels, Tiling]:
    """Applies `function` tile by tile and joins the results.

    Where `function` raises `TileTooLargeError`, the tile is halved and the first unfinished row is next.

    Args:
        pixels: `(H, W, C)` in any sample type of a Picture, of any size.
        tiling: How to cut.
        function: What to do with a tile.
        on_progress: Told the finished share of the picture, 0..1, after each tile.

    Returns:
        `(scale * H, scale * W, C)` in the sample type of `pixels`, and the tiling that finally fitted.

    Raises:
        PictureError: Even the smallest tile does not fit into memory.
    """
    height, width, channels = pixels.shape
    scale = tiling.scale
    longest = _round_up(max(height, width), tiling.multiple)
    tiling = replace(tiling, tile=max(tiling.smallest, min(tiling.tile, longest)))
    result = np.empty_like(pixels, shape=(height * scale, width * scale, channels))
    carried = np.zeros((0, width * scale, channels), np.float32)  # the last row of tiles' share of the next blend
    plan, index, done = plan_tiles(height, width, tiling), 0, 0
    while done < height:
        try:
            strip = _run_row(pixels, plan, index, function, scale, on_progress)
        except TileTooLargeError as error:
            tiling = _halved(tiling, error)
            plan, index = plan_tiles(height, width, tiling, done), 0
            continue
        strip[: len(carried)] += carried
        index += 1
        finished = (plan.rows.cuts[index] - done) * scale
        for row in range(0, finished, _ROWS_AT_ONCE):
            rows = strip[row : min(row + _ROWS_AT_ONCE, finished)]
            result[done * scale + row : done * scale + row + len(rows)] = from_float(rows, pixels.dtype)
        carried = strip[finished:].copy()
        done = plan.rows.cuts[index]
    return result, tiling


def _run_row(
    pixels: Pixels,
    plan: TilePlan,
    index: int,
    function: TileFunction,
    scale: int,
    on_progress: Callable[[float], None] | None,
) -> Floats:
    """Row `index` of the plan's tiles, weighted: `(kept rows * scale, W * scale, C)` float32."""
    height, width, channels = pixels.shape
    (top, bottom), (first, last) = plan.rows.spans[index], plan.rows.kept(index)
    down = plan.rows.window(index, scale)[:, None, None]  # (h, 1, 1)
    strip = np.zeros(((last - first) * scale, width * scale, channels), np.float32)
    columns = len(plan.columns.spans)
    for column, (left, right) in enumerate(plan.columns.spans):
        output = function(to_float(pixels[top:bottom, left:right]))
        start, stop = plan.columns.kept(column)
        kept = output[(first - top) * scale : (last - top) * scale, (start - left) * scale : (stop - left) * scale]
        across = plan.columns.window(column, scale)[:, None]  # (w, 1)
        strip[:, start * scale : stop * scale] += kept * across * down
        if on_progress is not None:
            on_progress((first + (column + 1) / columns * (plan.rows.cuts[index + 1] - first)) / height)
    return strip


def _plan_axis(length: int, tiling: Tiling, first: int = 0) -> AxisPlan:
    """Even tiles over `first..length`, the first of which looks back over the margin before `first`."""
    multiple, overlap = tiling.multiple, tiling.overlap
    origin = max(0, (first - tiling.margin) // multiple * multiple)
    padded = _round_up(length - origin, multiple)
    longest = max(tiling.smallest, tiling.tile // multiple * multiple)
    count = max(1, -(-(padded - overlap) // (longest - overlap)))
    side = min(padded, _round_up(-(-(padded + (count - 1) * overlap) // count), multiple))
    travel = padded - side
    starts = [origin + (travel * i // max(count - 1, 1)) // multiple * multiple for i in range(count)]
    spans = tuple((start, min(start + side, length)) for start in starts)
    # The blend lies in the middle of what two neighbours share: at least `margin` from either's edge.
    cuts = [start + (before + side - start - tiling.blend) // 2 for before, start in pairwise(starts)]
    return AxisPlan(spans, (first, *cuts, length), tiling.blend, faded=first > 0)


def _halved(tiling: Tiling, error: TileTooLargeError) -> Tiling:
    if tiling.tile <= tiling.smallest:
        raise PictureError(
            f"not enough memory even for tiles of {tiling.tile} pixels: "
            "close other programs, or choose the CPU as device"
        ) from error
    return replace(tiling, tile=max(tiling.smallest, tiling.tile // 2))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
