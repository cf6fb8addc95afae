"""Clean pictures and the patches cut from them.

What a step sees depends only on the seed, the step and the device's rank, never on what came before: a
resumed training continues with the very patches it would have seen, and no sampler has a position to store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.pictures.colour import gray_rgb
from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import from_float, to_float
from unblemish.pictures.reading import read
from unblemish.training.errors import TrainingError
from unblemish.training.resident import ResidentPictures

RGB8 = NDArray[np.uint8]
"""`(H, W, 3)`"""


def hold_out(paths: Sequence[Path], count: int) -> tuple[list[Path], list[Path]]:
    """Splits off `count` pictures for validation: those whose names have the smallest hashes.

    The order of files does not matter; added ones take a place only where their hash is among the smallest.

    Returns:
        Training paths and held-out paths.

    Raises:
        TrainingError: Nothing would be left to train on.
    """
    if len(paths) <= count:
        raise TrainingError(
            f"{len(paths)} pictures are too few to hold out {count} for validation; "
            "set validation.pictures lower or give a validation.folder"
        )
    ranked = sorted(paths, key=lambda p: hashlib.sha256(p.name.encode()).digest())
    held = set(ranked[:count])
    return [p for p in paths if p not in held], [p for p in paths if p in held]


def load_rgb(path: Path, gray: bool = False) -> RGB8:
    """A picture as 8-bit RGB `(H, W, 3)`; gray is repeated, alpha dropped.

    Args:
        path: Of the file.
        gray: Give the luma, in all three channels.

    Raises:
        PictureError: The file is broken or no picture.
    """
    pixels = read(path).pixels
    rounded = pixels if pixels.dtype == np.uint8 else from_float(to_float(pixels), np.dtype(np.uint8))
    samples = np.asarray(rounded, np.uint8)
    rgb = samples if samples.shape[2] == 3 else samples.repeat(3, axis=2)  # (H, W, 3)
    return gray_rgb(rgb) if gray else rgb


def to_batch(patches: Sequence[RGB8], device: torch.device | str = "cpu") -> Tensor:
    """Equal `(H, W, 3)` uint8 patches as `(B, 3, H, W)` float32 in [0, 1] on a device, channels last in memory.

    They travel there as bytes.
    """
    return as_batch(torch.from_numpy(np.stack(patches)).to(device))


def as_batch(patches: Tensor) -> Tensor:
    """`(B, H, W, 3)` uint8 as `(B, 3, H, W)` float32 in [0, 1], channels last in memory."""
    return patches.permute(0, 3, 1, 2).float().div_(255)


class PatchSource:
    """Random square patches of a list of pictures, kept decoded in memory as far as a budget allows.

    Args:
        paths: Picture files.
        patch: Side of a patch in pixels; smaller pictures are left out.
        scales: Factors (0, 1] at which each picture is used.
        memory: Bytes of decoded pictures to keep.
        gray: Use the luma of pictures, in all three channels.
        on_device: Keep a copy of all pictures on the device that trains, and cut patches there.

    Attributes:
        broken: Files that cannot be used, with a line that names the file and the reason.
        smallest: Shortest side of a usable picture at any of its scales, pixels.

    Raises:
        TrainingError: No picture is usable, or `memory` is too small for `on_device`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        patch: int,
        scales: Sequence[float],
        memory: int,
        gray: bool = False,
        on_device: bool = False,
    ) -> None:
        self.patch = patch
        self.gray = gray
        self.scales = tuple(scales)
        self.broken: dict[Path, str] = {}
        self._usable: list[Path] = []
        self._kept: dict[Path, list[RGB8]] = {}
        self._resident: ResidentPictures | None = None
        sides: list[int] = []
        with ThreadPoolExecutor() as pool:
            for path, found in zip(paths, pool.map(self._try_load, paths), strict=True):
                if isinstance(found, str):
                    self.broken[path] = found
                    continue
                self._usable.append(path)
                sides += [min(version.shape[:2]) for version in found]
                size = sum(version.nbytes for version in found)
                if size <= memory:
                    memory -= size
                    self._kept[path] = found
        if not self._usable:
            first = next(iter(self.broken.values()))
            raise TrainingError(f"none of {len(self.broken)} pictures can be used for training; the first: {first}")
        self.smallest = min(sides)
        self._joined = self._join() if on_device else None

    def __len__(self) -> int:
        return len(self._usable)

    def batch(self, size: int, generator: np.random.Generator, side: int | None = None) -> list[RGB8]:
        """`size` patches of pictures drawn with replacement, turned and mirrored.

        Args:
            size: Their number.
            generator: Draws them.
            side: Of each, up to `smallest`; None takes `patch`.
        """
        return [self._patch(generator, side or self.patch) for _ in range(size)]

    def tensor(
        self, size: int, generator: np.random.Generator, device: torch.device, side: int | None = None
    ) -> Tensor:
        """What `batch` draws, as `to_batch` makes it: `(size, 3, side, side)` float32 in [0, 1] on a device."""
        patches = self.batch(size, generator, side)
        if self._joined is None:
            return to_batch(patches, device)
        if self._resident is None or self._resident.device != device:
            self._resident = ResidentPictures(self._joined, device)
        return as_batch(self._resident.gather(patches))

    def _join(self) -> NDArray[np.uint8]:
        """All pictures' pixels `(N, 3)` in one array, which those that are kept become views of."""
        if len(self._kept) < len(self._usable):
            raise TrainingError(
                f"only {len(self._kept)} of {len(self._usable)} pictures fit into data.memory; raise it, or leave "
                "data.on_device out"
            )
        flat = [version.reshape(-1, 3) for versions in self._kept.values() for version in versions]
        joined, ends = np.concatenate(flat), np.cumsum([len(pixels) for pixels in flat])
        parts = iter(np.split(joined, ends[:-1]))
        for versions in self._kept.values():
            versions[:] = [next(parts).reshape(version.shape) for version in versions]
        return joined

    def _patch(self, generator: np.random.Generator, patch: int) -> RGB8:
        path = self._usable[generator.integers(len(self._usable))]
        versions = self._kept.get(path) or self._versions(path)
        version = versions[generator.integers(len(versions))]
        top, left = (int(generator.integers(side - patch + 1)) for side in version.shape[:2])
        cut = np.rot90(version[top : top + patch, left : left + patch], int(generator.integers(4)))
        return cut[::-1] if generator.integers(2) else cut

    def _try_load(self, path: Path) -> list[RGB8] | str:
        try:
            return self._versions(path) or f"{path}: smaller than the {self.patch}-pixel patch; lower data.patch"
        except PictureError as error:
            return str(error)

    def _versions(self, path: Path) -> list[RGB8]:
        full = load_rgb(path, self.gray)
        shrunk = (full if scale == 1 else shrink(full, scale) for scale in self.scales)
        return [version for version in shrunk if min(version.shape[:2]) >= self.patch]


def shrink(pixels: RGB8, scale: float) -> RGB8:
    """Antialiased bicubic reduction of `(H, W, 3)` by a factor in (0, 1]."""
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()  # (1, 3, H, W)
    size = [max(1, round(side * scale)) for side in pixels.shape[:2]]
    y = torch.nn.functional.interpolate(x, size=size, mode="bicubic", antialias=True)
    return y.round_().clamp_(0, 255).byte()[0].permute(1, 2, 0).contiguous().numpy()  # (h, w, 3)
