"""Specimens: clean photographs with known damage, from which an examiner learns what damage looks like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.seeding import picture_generator
from unblemish.examination.drawings import captioned, drawing
from unblemish.examination.errors import PairSizeError
from unblemish.pictures.picture import to_float
from unblemish.pictures.reading import read

CLEAN = "clean"
"""Kind of undamaged specimens."""

LARGEST = (384, 512)
"""Shorter and longer side of a view, at most; pixels."""

SHRUNK = (0.5, (0.35, 1.0))
"""Share of photographs whose views are shrunk first, which sharpens their pixels, and the range of the factor."""

LEAST = 160
"""Shorter side in pixels that shrinking leaves."""

GRAY = 0.1
"""Share of photographs that are looked at without their colours."""

DRAWN, CAPTIONED = 0.15, 0.1
"""Shares of views that are replaced by a drawing, and that have something written on them."""

TONED = (0.2, (0.8, 1.2))
"""Share of views with another tone curve, as editors and scanners leave them, and the range of its exponent."""

SOFTENED, SHARPENED = (0.15, (0.3, 0.6)), (0.15, (0.2, 0.6))
"""Shares of views that are a little soft, as lenses and scanners leave them, or a little sharpened, as cameras do;
standard deviation of the Gaussian in pixels, and how much of what it took away is added."""

FAINT_JPEG = (1 / 3, (90, 98))
"""Share of clean specimens that were saved as JPEG, and qualities: what cameras write counts as undamaged."""

GRAIN = (0.25, (0.5, 3.0))
"""Share of clean specimens with grain, and its standard deviation in 8-bit levels; below that, none can see it."""


Given: TypeAlias = Mapping[str, Mapping[Path, Path]]
"""Kinds whose damage is not made but shown: for each, the damaged partners of clean photographs, by the photographs'
paths as they are given elsewhere. A kind of the catalogue that is given is not made either."""

NOTHING_GIVEN: Given = MappingProxyType({})


class Specimen(NamedTuple):
    """A clean view and its damaged copy, `(3, H, W)` float32 in [0, 1], with the kind of the damage."""

    kind: str
    clean: Tensor
    damaged: Tensor


def specimens(path: Path, kinds: Sequence[str], seed: int, given: Given = NOTHING_GIVEN) -> Iterator[Specimen]:
    """One specimen of each kind that is `shown` of the photograph; equal arguments give equal specimens.

    Specimens of given kinds are the same part of the two files, shrunk alike. They are never drawings, captioned, gray,
    or of another tone or sharpness: views become so before they are damaged, and it cannot be done to a damaged
    picture without changing its damage.

    Args:
        path: A clean photograph.
        kinds: `CLEAN`, degradations of the catalogue, whose parameters are drawn from the published ranges, and given
            ones.
        seed: Of the view and the damage.
        given: Damaged partners of clean photographs.

    Raises:
        PictureError: A file cannot be read.
        PairSizeError: The photograph and a partner differ in size.
    """
    clean = _view(path, seed)
    for kind in shown(path, kinds, given):
        if kind in given and kind != CLEAN:
            yield Specimen(kind, *_pair(path, given[kind][path], seed))
            continue
        # The picture's name stands first: specimens are to differ from what `evaluate` makes of the same pictures.
        generator = picture_generator(seed, path.name, kind)
        if kind == CLEAN:
            yield Specimen(kind, clean, _faintly_flawed(clean, generator))
            continue
        degradation = create(kind)
        parameters = degradation.sample(1, generator)
        yield Specimen(kind, clean, quantise_8bit(degradation.apply(clean[None], parameters, generator))[0])


def shown(path: Path, kinds: Sequence[str], given: Given) -> list[str]:
    """Those of `kinds` of which a photograph has a specimen: all but given ones without a partner of it."""
    return [kind for kind in kinds if kind == CLEAN or kind not in given or path in given[kind]]


def _view(path: Path, seed: int) -> Tensor:
    """`(3, H, W)`: a part of the photograph, or a drawing in its place, as various as pictures without damage are."""
    draw = _draw(path, seed)
    view = _retouched(_part(_colours(path), draw), draw)
    if draw.random() < GRAY:
        view = view.mean(0, keepdim=True).expand(3, -1, -1)
    subject = draw.random()
    if subject < DRAWN:
        view = drawing(view.shape[1], view.shape[2], draw)
    elif subject < DRAWN + CAPTIONED:
        view = captioned(view, draw)
    return quantise_8bit(view.contiguous())


def _pair(path: Path, partner: Path, seed: int) -> tuple[Tensor, Tensor]:
    """`(3, H, W)` each: the same part of a photograph and of its damaged partner."""
    clean, damaged = _colours(path), _colours(partner)
    if clean.shape != damaged.shape:
        sizes = [f"{x.shape[-1]} x {x.shape[-2]}" for x in (damaged, clean)]
        raise PairSizeError(
            f"{partner}: a pair must have one size, and it has {sizes[0]} but {path} has {sizes[1]}; crop one of them"
        )
    # As one picture of six channels, so that both are shrunk and cut alike.
    views = quantise_8bit(_part(torch.cat((clean, damaged)), _draw(path, seed)).contiguous())  # (6, H, W)
    return views[:3], views[3:]


def _draw(path: Path, seed: int) -> np.random.Generator:
    """What decides how a photograph is looked at."""
    return np.random.default_rng([seed, *path.name.encode()])


def _colours(path: Path) -> Tensor:
    """`(3, H, W)`: a whole picture."""
    pixels = to_float(read(path).pixels)  # (H, W, 1 or 3)
    return torch.from_numpy(pixels).permute(2, 0, 1).expand(3, -1, -1)  # (3, H, W)


def _part(x: Tensor, draw: np.random.Generator) -> Tensor:
    """`(C, H, W)`, sometimes shrunk, to at most `LARGEST` of it."""
    shorter = min(x.shape[-2:])
    factor = _sometimes(SHRUNK, draw)
    if factor is not None and shorter > LEAST:
        x = F.interpolate(x[None], scale_factor=max(factor, LEAST / shorter), mode="bicubic", antialias=True)[0]
    height, width = x.shape[-2:]
    sides = LARGEST if height <= width else LARGEST[::-1]
    kept = [min(side, most) for side, most in zip((height, width), sides, strict=True)]
    top, left = (int(draw.integers(side - part + 1)) for side, part in zip((height, width), kept, strict=True))
    return x[:, top : top + kept[0], left : left + kept[1]].clamp(0.0, 1.0)


def _retouched(view: Tensor, draw: np.random.Generator) -> Tensor:
    """`(3, H, W)`, perhaps with another tone curve, a little softer or a little sharper."""
    exponent, softness, strength = (_sometimes(one, draw) for one in (TONED, SOFTENED, SHARPENED))
    if exponent is not None:
        view = quantise_8bit(view) ** exponent
    if softness is not None:
        return _softened(view, softness)
    if strength is not None:
        return (view + strength * (view - _softened(view, 1.0))).clamp(0.0, 1.0)
    return view


def _softened(view: Tensor, deviation: float) -> Tensor:
    blur = create("gaussian_blur")
    return blur.apply(view[None], blur.fixed(1, sigma=deviation), torch.Generator())[0].clamp(0.0, 1.0)


def _faintly_flawed(clean: Tensor, generator: torch.Generator) -> Tensor:
    """With grain, then saved as JPEG, each of them sometimes."""
    grain, sigma, saved, quality = torch.rand(4, generator=generator).tolist()
    flaws: list[tuple[str, dict[str, float | str]]] = []
    if grain < GRAIN[0]:
        flaws.append(("gaussian_noise", {"sigma": _between(GRAIN[1], sigma)}))
    if saved < FAINT_JPEG[0]:
        flaws.append(("jpeg", {"quality": round(_between(FAINT_JPEG[1], quality))}))
    for kind, values in flaws:
        degradation = create(kind)
        clean = quantise_8bit(degradation.apply(clean[None], degradation.fixed(1, **values), generator))[0]
    return clean


def _sometimes(chance: tuple[float, tuple[float, float]], draw: np.random.Generator) -> float | None:
    """A value from a range, or None; the generator goes on by two numbers either way."""
    share, limits = chance
    comes, place = draw.random(2)
    return _between(limits, place) if comes < share else None


def _between(limits: tuple[float, float], place: float) -> float:
    return limits[0] + place * (limits[1] - limits[0])
