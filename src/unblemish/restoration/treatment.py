"""Treatment: a network, where it runs, and what is needed to give it pictures of any size and sample type."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from unblemish.evaluation.self_ensemble import self_ensemble
from unblemish.networks.base import Network
from unblemish.pictures.picture import Picture, Pixels, from_float, to_float
from unblemish.pictures.tiles import TileFunction, Tiling, plan_tiles, run_tiles
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.engines import EagerEngine, create_engine
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.footprint import bytes_per_pixel, choose_tile
from unblemish.restoration.iterating import iterating
from unblemish.restoration.overview import Tones, bounded, shrunk
from unblemish.restoration.placement import choose_device, choose_precision, default_budget, parse_memory

Floats = NDArray[np.float32]

BLEND = 16
"""Input pixels over which neighbouring tiles fade into each other."""

MARGIN_WITHOUT_REACH = 16
"""Margin for networks that depend on the whole picture, so that no margin makes their tiles exact."""

ROWS_AT_ONCE = 64
"""Rows whose tones are changed at a time."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a Treatment chose, for a picture of one size.

    Attributes:
        network: Its name in the bundle, or its class where it came from elsewhere.
        engine: How it runs.
        device: Where it runs.
        precision: What it computes in.
        memory: Budget in bytes.
        tile: Longest side of a tile in pixels.
        overlap: Pixels that neighbouring tiles share.
        tiles: Number of tiles; 1 means that the picture is restored whole.
        exact: Whether tiles give the whole picture's result.
        overview: Longer side of the copy that tones are taken from; None where they are the tiles' own.
    """

    network: str
    engine: str
    device: str
    precision: str
    memory: int
    tile: int
    overlap: int
    tiles: int
    exact: bool
    overview: int | None


class Treatment:
    """Restores pictures with one network, whatever is wrong with them.

    Args:
        network: In evaluation mode, float32, on the CPU.
        name: What it is called in records; its class where None.
        margin: Pixels next to a tile's inner edge that differ visibly from the whole picture's result; None takes
            the receptive field.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "float32" or "bfloat16".
        memory: What tiles may take: bytes, or text such as "2GB"; None decides by what is free.
        strength: 1 gives the network's result, 0 the input, between them their mixture.
        engine: "auto" or a key of `engines.ENGINES`.
        iterations: How often a network that iterates corrects its first estimate; None keeps its own number.
        tolerance: Stop before, once a correction changes a tile by less than this share; eager engine only.
        overview: Take tones from what the network makes of a copy of the picture whose longer side has so many pixels
            (see `overview`); None leaves them as they are in the picture itself, which smaller ones always are.

    Raises:
        UserError: Anything of this is unknown, not there, or does not fit together.
    """

    def __init__(
        self,
        network: Network,
        name: str | None = None,
        margin: int | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        memory: str | int | None = None,
        strength: float = 1.0,
        engine: str = "auto",
        iterations: int | None = None,
        tolerance: float | None = None,
        overview: int | None = None,
    ) -> None:
        if not 0 <= strength <= 1:
            raise RestorationError(f"a strength of {strength:g} is not possible: give a number from 0 to 1")
        if tolerance is not None and engine not in ("auto", EagerEngine.name):
            raise RestorationError(f"the engine '{engine}' runs all iterations: leave tolerance out, or choose eager")
        self.name = name or type(network).__name__
        self.network = network = iterating(network, self.name, iterations, tolerance)
        if network.scale != 1 and strength != 1:
            raise RestorationError(f"the network '{self.name}' enlarges pictures: its strength can only be 1")
        if network.scale != 1 and overview is not None:
            raise RestorationError(f"the network '{self.name}' enlarges pictures: leave the overview out")
        place = choose_device(device)
        dtype = choose_precision(place, precision)
        budget = parse_memory(memory) if isinstance(memory, str) else memory
        self.memory = default_budget(place) if budget is None else budget
        self.strength = strength
        self.overview = overview
        reach = network.receptive_field
        self.margin = margin if margin is not None else MARGIN_WITHOUT_REACH if reach is None else reach
        self.engine = create_engine(engine, network, place, dtype)
        self._fitting: int | None = None  # the tile that memory was found to hold, where it was less than hoped for

    def restore(self, picture: Picture, on_progress: Callable[[float], None] | None = None) -> Picture:
        """Restores a picture.

        Gray pictures run as equal colour channels, whose mean is the result. Alpha is left as it is (enlarged
        where the network enlarges). Float samples outside [0, 1], infinite ones and NaN are clamped for the
        network (NaN as 0), and what was clamped away is added to the result.

        Args:
            picture: Of any size and sample type.
            on_progress: Told the finished share, 0..1, from time to time.

        Returns:
            The picture in its own sample type, with notes on what went other than planned.

        Raises:
            UserError: Memory does not suffice, or the network's weights are damaged.
        """
        if self.strength == 0:
            return picture
        repeats = self.engine.repeats
        pixels, notes = self._run(picture.pixels, on_progress)
        if self.engine.repeats > repeats:
            notes.append(f"tiles repeated in float32 after an overflow: {self.engine.repeats - repeats}")
        scale = self.network.scale
        return replace(
            picture,
            pixels=pixels,
            alpha=picture.alpha if picture.alpha is None or scale == 1 else _enlarged(picture.alpha, scale),
            resolution=picture.resolution and (picture.resolution[0] * scale, picture.resolution[1] * scale),
            notes=(*picture.notes, *notes),
        )

    def restore_tensor(self, x: Tensor) -> Tensor:
        """Restores a batch along the very path pictures take, for evaluation.

        Args:
            x: `(B, 3, H, W)` in [0, 1], on any device.

        Returns:
            `(B, 3, scale * H, scale * W)` float32 in [0, 1], on the device of `x`.
        """
        if self.strength == 0:
            return x.float()
        pictures = x.detach().permute(0, 2, 3, 1).float().cpu().numpy()  # (B, H, W, 3)
        results = np.stack([self._run(pixels)[0] for pixels in pictures])  # (B, scale * H, scale * W, 3)
        return torch.from_numpy(results).permute(0, 3, 1, 2).to(x.device)  # (B, 3, scale * H, scale * W)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the weights and with what they are computed in."""
        settings = f"{self.engine.name} {self.engine.dtype} {self.strength} {self.network.extra_repr()}"
        if self.overview is not None:
            settings += f" overview {self.overview}"
        digest = hashlib.sha256(settings.encode())
        for key, value in sorted(self.network.state_dict().items()):
            digest.update(key.encode() + value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def tiling(self, width: int) -> Tiling:
        """How a picture of `width` columns is cut.

        Raises:
            RestorationError: The memory budget is too small.
        """
        network = self.network
        tiling = Tiling(tile=1, margin=self.margin, blend=BLEND, multiple=network.size_multiple, scale=network.scale)
        tile = choose_tile(
            network, self.memory, self._per_pixel, width, self.engine.device, tiling.overlap, tiling.smallest
        )
        return replace(tiling, tile=tile if self._fitting is None else min(tile, self._fitting))

    def describe(self, height: int, width: int) -> Setup:
        """What was chosen, and how a picture of this size is cut."""
        tiling = self.tiling(width)
        return Setup(
            network=self.name,
            engine=self.engine.name,
            device=str(self.engine.device),
            precision=str(self.engine.dtype).removeprefix("torch."),
            memory=self.memory,
            tile=tiling.tile,
            overlap=tiling.overlap,
            tiles=plan_tiles(height, width, tiling).count,
            exact=self.network.tiles_are_exact,
            overview=self.overview,
        )

    @cached_property
    def _per_pixel(self) -> float:
        return bytes_per_pixel(self.network, self.engine.dtype)

    def _run(self, pixels: Pixels, on_progress: Callable[[float], None] | None = None) -> tuple[Pixels, list[str]]:
        if self.overview is None or max(pixels.shape[:2]) <= self.overview:
            return self._tiled(pixels, lambda tile: self._mixed(tile, self._restored(tile)), on_progress)
        # In 16 bit, for new tones may lie further apart than those of 8.
        deep = pixels.astype(np.uint16) * np.uint16(257) if pixels.dtype == np.uint8 else pixels
        fine, notes = self._tiled(deep, self._restored, on_progress)
        tones = Tones.between(shrunk(fine, self.overview), self._small(pixels, self.overview)).widened(fine.shape[1])
        result = np.empty_like(pixels)
        for row in range(0, len(pixels), ROWS_AT_ONCE):
            rows = slice(row, row + ROWS_AT_ONCE)
            changed = tones.change(to_float(fine[rows]), row, len(pixels))
            result[rows] = from_float(self._mixed(to_float(pixels[rows]), changed), pixels.dtype)
        return result, notes

    def _tiled(
        self, pixels: Pixels, function: TileFunction, on_progress: Callable[[float], None] | None
    ) -> tuple[Pixels, list[str]]:
        wanted = self.tiling(pixels.shape[1])
        result, fitted = run_tiles(pixels, wanted, function, on_progress)
        if fitted.tile >= min(wanted.tile, max(pixels.shape[:2])):
            return result, []
        self._fitting = fitted.tile
        return result, [f"memory ran out: the tile was made smaller, {fitted.tile} pixels"]

    def _small(self, pixels: Pixels, longest: int) -> Floats:
        """What the network makes of a copy in its eight orientations, `(h, w, C)`."""

        def restored(copy: Tensor) -> Tensor:
            return torch.from_numpy(self._restored(copy[0].permute(1, 2, 0).numpy()).transpose(2, 0, 1)[None])

        copy = torch.from_numpy(shrunk(pixels, longest)).permute(2, 0, 1)[None]  # (1, C, h, w)
        return self_ensemble(restored)(copy)[0].permute(1, 2, 0).numpy()

    def _restored(self, tile: Floats) -> Floats:
        """`(h, w, C)` to `(scale * h, scale * w, C)` in [0, 1]."""
        base = bounded(tile)
        colours = base if base.shape[2] == 3 else base.repeat(3, axis=2)  # (h, w, 3)
        output = self.engine.run(colours.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)  # (scale * h, scale * w, 3)
        output = np.clip(output, 0.0, 1.0)
        return output.mean(axis=2, keepdims=True) if base.shape[2] == 1 else output

    def _mixed(self, before: Floats, restored: Floats) -> Floats:
        """The result at the wanted strength, with what of the input lies beyond [0, 1]; shapes as of `_restored`."""
        base = bounded(before)
        result = restored if self.strength == 1 else base + np.float32(self.strength) * (restored - base)
        if base is not before:
            excess, scale = before - base, self.network.scale
            result = result + excess.repeat(scale, axis=0).repeat(scale, axis=1)
        return result.astype(np.float32, copy=False)


def treatment_of(bundle: Bundle, name: str, **options: Any) -> Treatment:
    """The treatment with a network of a bundle, as its card says.

    Args:
        bundle: The bundle.
        name: Of the network.
        options: Keywords of `Treatment`.

    Raises:
        UserError: The bundle has no such network, or an option is not possible.
    """
    entry = bundle.entry(name)
    return Treatment(bundle.network(name), name, entry.tile_margin, overview=entry.overview, **options)


def _enlarged(alpha: Pixels, scale: int) -> Pixels:
    """`(H, W)` to `(scale * H, scale * W)`, bilinear."""
    values = torch.from_numpy(to_float(alpha))[None, None]  # (1, 1, H, W)
    larger = interpolate(values, scale_factor=scale, mode="bilinear", align_corners=False)
    return from_float(larger[0, 0].numpy(), alpha.dtype)
