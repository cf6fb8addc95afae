"""Scoring during training: held-out pictures, each with every degradation once, always the same damage."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from unblemish.degradations.catalogue import create
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.evaluation.metrics import psnr
from unblemish.pictures.errors import PictureError
from unblemish.training.data import load_rgb, to_batch
from unblemish.training.errors import TrainingError

LOG = logging.getLogger(__name__)
CLEAN = "clean"


class Validation:
    """RGB PSNR of a network on fixed damaged crops, by degradation; undamaged ones are listed as "clean".

    Args:
        paths: Pictures to crop; broken or too small ones are left out with a warning in the log.
        crop: Side of the central square, pixels.
        names: Degradations of the catalogue; each picture gets parameters drawn from its published ranges.
        seed: Of the damage.
    """

    def __init__(self, paths: Sequence[Path], *, crop: int, names: Sequence[str], seed: int) -> None:
        self.clean = to_batch(_crops(paths, crop))  # (N, 3, crop, crop)
        self.degraded: dict[str, Tensor] = {CLEAN: self.clean}
        for number, name in enumerate(names):
            degradation = create(name)
            generator = torch.Generator().manual_seed(seed * 1009 + number)
            parameters = degradation.sample(len(self.clean), generator)
            self.degraded[name] = quantise_8bit(degradation.apply(self.clean, parameters, generator))
        self.input_psnr = {name: _mean_psnr(x, self.clean) for name, x in self.degraded.items() if name != CLEAN}

    @torch.no_grad()
    def score(self, network: nn.Module, device: torch.device, batches: int | None = None) -> dict[str, float]:
        """PSNR in dB for each degradation and for "clean", and "gain", the mean gain over the damaged inputs.

        Args:
            network: Maps `(B, 3, H, W)` to the same; run under the autocast of the caller.
            device: Where the network is.
            batches: Only this many batches of each degradation (for a quick check); None for all.
        """
        scores: dict[str, float] = {}
        for name, degraded in self.degraded.items():
            limit = None if batches is None else batches * 8
            outputs = [network(part.to(device)).float().cpu() for part in degraded[:limit].split(8)]
            restored = quantise_8bit(torch.cat(outputs))
            scores[name] = _mean_psnr(restored, self.clean[:limit])
        gains = [scores[name] - before for name, before in self.input_psnr.items()]
        return {**scores, "gain": sum(gains) / len(gains)}


def _mean_psnr(x: Tensor, y: Tensor) -> float:
    return float(psnr(x, y).clamp(max=60).mean())


def _crops(paths: Sequence[Path], crop: int) -> list:
    crops = []
    for path in paths:
        try:
            pixels = load_rgb(path)
        except PictureError as error:
            LOG.warning("left out of validation: %s", error)
            continue
        top, left = ((side - crop) // 2 for side in pixels.shape[:2])
        if min(top, left) >= 0:
            crops.append(pixels[top : top + crop, left : left + crop])
    if not crops:
        raise TrainingError(f"no validation picture can be read and is at least {crop} pixels wide and high")
    return crops
