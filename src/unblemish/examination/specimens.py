"""Specimens: clean photographs with known damage, from which an examiner learns what damage looks like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.seeding import picture_generator
from unblemish.pictures.picture import to_float
from unblemish.pictures.reading import read

CLEAN = "clean"
"""Kind of undamaged specimens."""

LARGEST = (384, 512)
"""Shorter and longer side of a view, at most; pixels."""

SHRINKABLE = 640
"""Shorter side from which on half of the photographs are looked at in half size, whose pixels are sharper."""

GRAY = 0.1
"""Share of photographs that are looked at without their colours."""

FAINT_JPEG = (90, 98)
"""Qualities at which every third clean specimen was saved: what cameras write counts as undamaged."""


class Specimen(NamedTuple):
    """A clean view and its damaged copy, `(3, H, W)` float32 in [0, 1], with the kind of the damage."""

    kind: str
    clean: Tensor
    damaged: Tensor


def specimens(path: Path, kinds: Sequence[str], seed: int) -> Iterator[Specimen]:
    """One specimen of each kind from one photograph; equal arguments give equal specimens.

    Args:
        path: A clean photograph.
        kinds: `CLEAN` and degradations of the catalogue; parameters are drawn from the published ranges.
        seed: Of the view and the damage.

    Raises:
        PictureError: The file cannot be read.
    """
    clean = _view(path, seed)
    for kind in kinds:
        # The picture's name stands first: specimens are to differ from what `evaluate` makes of the same pictures.
        generator = picture_generator(seed, path.name, kind)
        if kind == CLEAN:
            yield Specimen(kind, clean, _faintly_saved(clean, generator))
            continue
        degradation = create(kind)
        parameters = degradation.sample(1, generator)
        yield Specimen(kind, clean, quantise_8bit(degradation.apply(clean[None], parameters, generator))[0])


def _view(path: Path, seed: int) -> Tensor:
    """`(3, H, W)`: a part of the photograph, of large ones sometimes in half size."""
    pixels = to_float(read(path).pixels)  # (H, W, 1 or 3)
    x = torch.from_numpy(pixels).permute(2, 0, 1).expand(3, -1, -1)[None]  # (1, 3, H, W)
    draw = np.random.default_rng([seed, *path.name.encode()])
    if min(x.shape[-2:]) >= SHRINKABLE and draw.random() < 0.5:
        x = F.interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True)
    height, width = x.shape[-2:]
    sides = LARGEST if height <= width else LARGEST[::-1]
    kept = [min(side, most) for side, most in zip((height, width), sides, strict=True)]
    top, left = (int(draw.integers(side - part + 1)) for side, part in zip((height, width), kept, strict=True))
    view = x[0, :, top : top + kept[0], left : left + kept[1]].clamp(0.0, 1.0)
    if draw.random() < GRAY:
        view = view.mean(0, keepdim=True).expand(3, -1, -1)
    return quantise_8bit(view.contiguous())


def _faintly_saved(clean: Tensor, generator: torch.Generator) -> Tensor:
    chance, quality = torch.rand(2, generator=generator).tolist()
    if chance >= 1 / 3:
        return clean
    jpeg = create("jpeg")
    low, high = FAINT_JPEG
    parameters = jpeg.fixed(1, quality=round(low + quality * (high - low)))
    return quantise_8bit(jpeg.apply(clean[None], parameters, generator))[0]
