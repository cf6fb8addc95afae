"""What tiles cost: how far they change the result, the time for what they share, the best size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from unblemish.evaluation.timing import interleaved
from unblemish.pictures.picture import Picture, Pixels, from_float, to_float
from unblemish.pictures.tiles import plan_tiles, run_tiles
from unblemish.restoration.engines import Engine, create_engine
from unblemish.restoration.treatment import Treatment

Floats = NDArray[np.float32]

SIDES = (192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 896, 1024)
"""Tiles whose speed is of interest, in pixels."""


@dataclass(frozen=True, slots=True)
class TileDifference:
    """Tiles against the whole picture.

    Attributes:
        network: Its name.
        exact: Whether tiles promise the whole picture's result.
        precision: What was computed in.
        margin: Pixels dropped next to inner edges of tiles.
        tile: Longest side of a tile.
        tiles: Number of tiles.
        difference: The largest, white being 1.
    """

    network: str
    exact: bool
    precision: str
    margin: int
    tile: int
    tiles: int
    difference: float


@dataclass(frozen=True, slots=True)
class TileSpeed:
    """The speed of one size of tile.

    Attributes:
        side: Of the square tile in pixels.
        megapixels_per_second: Of the tile.
        useful: Of a large picture, as neighbours share pixels.
    """

    side: int
    megapixels_per_second: float
    useful: float


@dataclass(frozen=True, slots=True)
class TileTime:
    """Tiles against one pass over the same picture.

    Attributes:
        size: Height and width of the picture.
        tile: Longest side of a tile.
        tiles: Number of tiles.
        extra_pixels: What tiles compute beyond the picture's pixels, over these.
        seconds_whole: Median of one pass.
        seconds_tiled: Median with tiles.
    """

    size: tuple[int, int]
    tile: int
    tiles: int
    extra_pixels: float
    seconds_whole: float
    seconds_tiled: float

    @property
    def cost(self) -> float:
        """Extra time over the time of one pass; negative where tiles are faster."""
        return self.seconds_tiled / self.seconds_whole - 1


def tile_difference(treatment: Treatment, pixels: Floats, dtype: torch.dtype) -> TileDifference:
    """Restores a picture whole and in tiles of half its side, or larger ones where the network needs them.

    Args:
        treatment: Its network and margin are used, and its device.
        pixels: `(H, W, 3)` float32 in [0, 1].
        dtype: What to compute in.
    """
    engine = create_engine("eager", treatment.network, treatment.engine.device, dtype)
    tiling = treatment.tiling(pixels.shape[1])
    tiling = replace(tiling, tile=max(tiling.smallest, max(pixels.shape) // 2))
    tiled, _ = run_tiles(pixels, tiling, lambda tile: _pass(engine, tile))
    return TileDifference(
        treatment.name,
        treatment.network.tiles_are_exact,
        str(dtype).removeprefix("torch."),
        treatment.margin,
        tiling.tile,
        plan_tiles(pixels.shape[0], pixels.shape[1], tiling).count,
        float(np.abs(tiled - _pass(engine, pixels)).max()),
    )


def tile_speeds(treatment: Treatment, sides: Sequence[int], repeats: int) -> list[TileSpeed]:
    """Times square tiles of noise, in turns."""
    overlap, multiple = treatment.tiling(max(sides)).overlap, treatment.network.size_multiple
    sides = [side // multiple * multiple for side in sides if side > overlap]
    noise = np.random.default_rng(0).random((max(sides), max(sides), 3), dtype=np.float32)
    calls = [lambda side=side: _pass(treatment.engine, noise[:side, :side]) for side in sides]
    for call in calls:
        call()
    speeds = [side**2 / 1e6 / took for side, took in zip(sides, interleaved(calls, repeats), strict=True)]
    return [
        TileSpeed(side, speed, speed * (1 - overlap / side) ** 2) for side, speed in zip(sides, speeds, strict=True)
    ]


def tile_time(treatment: Treatment, size: int, repeats: int) -> TileTime:
    """Times the default path over a square 8-bit picture against one pass over it, in turns."""
    pixels = np.random.default_rng(0).integers(256, size=(size, size, 3), dtype=np.uint8)

    def whole() -> Pixels:
        return from_float(_pass(treatment.engine, to_float(pixels)), pixels.dtype)

    def tiled() -> Pixels:
        return treatment.restore(Picture(pixels, "png")).pixels

    for function in (whole, tiled):
        function()
    seconds_whole, seconds_tiled = interleaved([whole, tiled], repeats)
    plan = plan_tiles(size, size, treatment.tiling(size))
    tile = plan.rows.spans[0][1]
    return TileTime((size, size), tile, plan.count, plan.area / size**2 - 1, seconds_whole, seconds_tiled)


def _pass(engine: Engine, pixels: Floats) -> Floats:
    """One pass over `(h, w, 3)`: `(scale * h, scale * w, 3)`."""
    return engine.run(pixels.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
