"""Compression artefacts."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, choice

SUBSAMPLINGS = ("4:2:0", "4:2:2", "4:4:4")
"""Chroma subsamplings, by the value of the parameter `subsampling`."""


def jpeg_round_trip(pixels: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    """Encodes and decodes one picture with libjpeg.

    Args:
        pixels: `(H, W, 3)`, uint8, RGB.
        quality: libjpeg's, 1..100.
        subsampling: One of `SUBSAMPLINGS`.

    Returns:
        `(H, W, 3)`, uint8.
    """
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(stream) as decoded:
        return np.array(decoded)


class Jpeg(Degradation):
    """JPEG by a real codec, on the CPU; the pictures are rounded to 8 bit on the way.

    GRIDS's published function draws the quality from 10..40; 20 is the fixed value that fits its table.
    """

    name = "jpeg"
    title = "JPEG"
    specs: Mapping[str, ParameterSpec] = {
        "quality": ParameterSpec(
            20, 10, 40, "libjpeg quality", "encoder quality", integer=True, minimum=1, maximum=100
        ),
        "subsampling": choice(SUBSAMPLINGS, "chroma subsampling"),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        pixels = clean.mul(255.0).round_().clamp_(0.0, 255.0).to(torch.uint8)
        rows = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()  # (B, H, W, 3)
        decoded = [
            jpeg_round_trip(picture, round(quality), SUBSAMPLINGS[int(variant)])
            for picture, quality, variant in zip(
                rows, parameters["quality"].tolist(), parameters["subsampling"].tolist(), strict=True
            )
        ]
        result = torch.from_numpy(np.stack(decoded)).to(clean.device)
        return result.permute(0, 3, 1, 2).to(clean.dtype).contiguous().div_(255.0)  # (B, 3, H, W)
