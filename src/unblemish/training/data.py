"""Pictures, or pairs of them, and the patches cut from them.

What a step sees depends only on the seed, the step and the device's rank, never on what came before: a
resumed training continues with the very patches it would have seen, and no sampler has a position to store.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.pictures.errors import PictureError
from unblemish.training.errors import TrainingError
from unblemish.training.loading import RGB8, Source, load, path_of, shrink
from unblemish.training.resident import ResidentPictures


def to_batch(patches: Sequence[RGB8], device: torch.device | str = "cpu") -> Tensor:
    """Equal `(H, W, C)` uint8 patches as `(B, C, H, W)` float32 in [0, 1] on a device, channels last in memory.

    They travel there as bytes.
    """
    return as_batch(torch.from_numpy(np.stack(patches)).to(device))


def as_batch(patches: Tensor) -> Tensor:
    """`(B, H, W, C)` uint8 as `(B, C, H, W)` float32 in [0, 1], channels last in memory."""
    return patches.permute(0, 3, 1, 2).float().div_(255)


class PatchSource:
    """Random square patches of a list of pictures, kept decoded in memory as far as a budget allows.

    Patches of a picture have 3 channels. Those of a pair have 6: what the clean original shows, then what the damaged
    picture shows of the same square, turned and mirrored alike.

    Args:
        sources: Picture files, or pairs of them.
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
        sources: Sequence[Source],
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
        self._usable: list[Source] = []
        self._kept: dict[Source, list[RGB8]] = {}
        self._resident: ResidentPictures | None = None
        sides: list[int] = []
        if not sources:
            raise TrainingError("no pictures are left to train on, for all are validated on; give more of them")
        with ThreadPoolExecutor() as pool:
            for source, found in zip(sources, pool.map(self._try_load, sources), strict=True):
                if isinstance(found, str):
                    self.broken[path_of(source)] = found
                    continue
                self._usable.append(source)
                sides += [min(version.shape[:2]) for version in found]
                size = sum(version.nbytes for version in found)
                if size <= memory:
                    memory -= size
                    self._kept[source] = found
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
        """What `batch` draws, as `to_batch` makes it: `(size, C, side, side)` float32 in [0, 1] on a device."""
        patches = self.batch(size, generator, side)
        if self._joined is None:
            return to_batch(patches, device)
        if self._resident is None or self._resident.device != device:
            self._resident = ResidentPictures(self._joined, device)
        return as_batch(self._resident.gather(patches))

    def _join(self) -> NDArray[np.uint8]:
        """All pictures' pixels `(N, C)` in one array, which those that are kept become views of."""
        if len(self._kept) < len(self._usable):
            raise TrainingError(
                f"only {len(self._kept)} of {len(self._usable)} pictures fit into data.memory; raise it, or leave "
                "data.on_device out"
            )
        flat = [version.reshape(-1, version.shape[2]) for versions in self._kept.values() for version in versions]
        joined, ends = np.concatenate(flat), np.cumsum([len(pixels) for pixels in flat])
        parts = iter(np.split(joined, ends[:-1]))
        for versions in self._kept.values():
            versions[:] = [next(parts).reshape(version.shape) for version in versions]
        return joined

    def _patch(self, generator: np.random.Generator, patch: int) -> RGB8:
        source = self._usable[generator.integers(len(self._usable))]
        versions = self._kept.get(source) or self._versions(source)
        version = versions[generator.integers(len(versions))]
        top, left = (int(generator.integers(side - patch + 1)) for side in version.shape[:2])
        cut = np.rot90(version[top : top + patch, left : left + patch], int(generator.integers(4)))
        return cut[::-1] if generator.integers(2) else cut

    def _try_load(self, source: Source) -> list[RGB8] | str:
        small = f"{path_of(source)}: smaller than the {self.patch}-pixel patch; lower data.patch"
        try:
            return self._versions(source) or small
        except PictureError as error:
            return str(error)

    def _versions(self, source: Source) -> list[RGB8]:
        full = load(source, self.gray)
        shrunk = (full if scale == 1 else shrink(full, scale) for scale in self.scales)
        return [version for version in shrunk if min(version.shape[:2]) >= self.patch]
