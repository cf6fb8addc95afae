"""Scoring during training: held-out pictures, each with every degradation once, always the same damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from unblemish.degradations.parsing import draw
from unblemish.degradations.quantisation import Rounding, rounded
from unblemish.degradations.resampling import resized
from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.pictures.errors import PictureError
from unblemish.training.data import to_batch
from unblemish.training.errors import TrainingError
from unblemish.training.loading import RGB8, Source, load, path_of
from unblemish.training.synthesis import named_degradations, shrunk

CLEAN, PAIRS = "clean", "pairs"
BATCH = 8


class Validation:
    """PSNR of a network on fixed damaged crops, by degradation; undamaged ones are listed as "clean".

    The damaged pictures of pairs are listed as "pairs".

    Args:
        sources: Pictures to crop; or pairs, whose two pictures are cropped alike.
        crop: Side of the central square, pixels.
        names: Degradations of the catalogue, with parameters where they are not to be drawn, for each picture, from
            the published ranges.
        seed: Of the damage.
        shrink: Factor of the bicubic shrinking that follows the damage; scores then compare with the shrunk
            picture's bicubic enlargement.
        rounding: How damaged pictures come to 8 bit.
        gray: Use the luma alone, as pictures of one channel.
        kernels: Point spread functions, whose blur is one more degradation, "given_kernels".

    Attributes:
        broken: Files that are left out, with a line that names the file and the reason.
        protocol: How scores are computed.

    Raises:
        TrainingError: No picture can be used.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        crop: int,
        names: Sequence[str],
        seed: int,
        shrink: int = 1,
        rounding: Rounding = "nearest",
        gray: bool = False,
        kernels: Path | None = None,
    ) -> None:
        self.broken: dict[Path, str] = {}
        found = to_batch(self._crops(sources, crop, gray))  # (N, 3 or 6, crop, crop)
        clean, paired = found[:, :3], found[:, 3:]
        channels = 1 if gray else 3
        self.clean = clean[:, :channels]
        where = f"{len(clean)} held-out pictures, central {crop} x {crop} px"
        self.protocol = preset("gray" if gray else "rgb").on(where)
        self.degraded: dict[str, Tensor] = {}
        for number, (name, degradation, values) in enumerate(named_degradations(names, kernels)):
            generator = torch.Generator().manual_seed(seed * 1009 + number)
            parameters = draw(degradation, values, len(clean), generator)
            damaged = degradation.apply(clean, parameters, generator)
            self.degraded[name] = rounded(shrunk(damaged, shrink), rounding)[:, :channels]
        if paired.shape[1]:
            self.degraded[PAIRS] = paired[:, :channels]
        # The gain is over the damaged pictures; over the enlargement of clean ones where there are none.
        self._gaining = tuple(self.degraded) or (CLEAN,)
        self.degraded[CLEAN] = self.clean if shrink == 1 else rounded(shrunk(self.clean, shrink), rounding)
        self._before = {name: self.psnr(resized(x, crop, crop), self.clean) for name, x in self.degraded.items()}

    @torch.no_grad()
    def score(
        self,
        network: nn.Module,
        device: torch.device,
        batches: int | None = None,
        path: Callable[[nn.Module, str], nn.Module] = lambda network, damage: network,
    ) -> dict[str, float]:
        """PSNR in dB for each degradation, "pairs" and "clean", and "gain", the mean gain over the damaged inputs.

        Args:
            network: Maps `(B, C, H, W)` to the same; run under the autocast of the caller.
            device: Where the network is.
            batches: Only this many batches in all, which start with the first degradation; None for all.
            path: What of the network restores pictures with a degradation, see `Task.path`.
        """
        found: dict[str, list[Tensor]] = {}
        for name, rows, damaged in islice(self._batches(), batches):
            restored = path(network, name)(damaged.to(device)).float().cpu()
            found.setdefault(name, []).append(self.psnr(restored, self.clean[rows]))
        after = {name: torch.cat(parts) for name, parts in found.items()}
        gains = [(x - self._before[name][: len(x)]).mean() for name, x in after.items() if name in self._gaining]
        return {name: float(x.mean()) for name, x in after.items()} | {"gain": float(sum(gains)) / len(gains)}

    def _batches(self) -> Iterator[tuple[str, slice, Tensor]]:
        """Name, rows and damaged pictures `(B, C, crop / shrink, crop / shrink)` of every batch."""
        for name, pictures in self.degraded.items():
            for start in range(0, len(pictures), BATCH):
                rows = slice(start, start + BATCH)
                yield name, rows, pictures[rows]

    def psnr(self, x: Tensor, y: Tensor) -> Tensor:
        """PSNR of two `(B, C, H, W)` batches on the CPU under `protocol`: `(B,)` float64, dB, at most its ceiling."""
        prepare = self.protocol.prepare
        return psnr(prepare(x), prepare(y)).clamp(max=self.protocol.psnr_ceiling)

    def _crops(self, sources: Sequence[Source], crop: int, gray: bool) -> list[RGB8]:
        crops = []
        for source in sources:
            path = path_of(source)
            try:
                pixels = load(source, gray)
            except PictureError as error:
                self.broken[path] = str(error)
                continue
            top, left = ((side - crop) // 2 for side in pixels.shape[:2])
            if min(top, left) >= 0:
                crops.append(pixels[top : top + crop, left : left + crop])
            else:
                self.broken[path] = f"{path}: smaller than the {crop}-pixel crop; lower validation.crop"
        if not crops:
            raise TrainingError(
                f"no validation picture can be read and is at least {crop} pixels wide and high; "
                "lower validation.crop or give a validation.folder"
            )
        return crops
