"""Signatures: the generalised Gaussian of many patches that share a degradation.

The same clean patches are damaged by each degradation, so that signatures differ by the damage and not by what the
pictures show (GRIDS, Sec. 4.2, on the clean set of SRGA). Those patches are not published; here they are cut from the
user's own clean pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.degradations.base import Degradation
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.seeding import picture_generator
from unblemish.examination.errors import ExaminationError
from unblemish.examination.features import Features
from unblemish.examination.generalised_gaussian import GeneralisedGaussian, fit_likelihood, fit_moments
from unblemish.examination.principal_components import principal_scores
from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import to_float
from unblemish.pictures.reading import read

CLEAN = "clean"
"""Name of the signature of undamaged patches."""

CROP = 128
"""Side in pixels of the squares that are damaged. Features with smaller patches see their centre, so that no kernel's
border handling is seen by them."""

BATCH = 25
"""Patches damaged and described at a time; more leave the processor's cache and are slower."""


@dataclass(frozen=True, slots=True)
class SignatureProtocol:
    """How signatures are measured; those of different protocols must not be compared.

    Attributes:
        patches: Clean patches; SRGA uses 800 and advises against fewer than 300.
        components: Principal components whose scores are fitted.
        reduction: Factor by which pictures are shrunk before patches are cut. Photographs are rarely sharp to the
            pixel and mostly carry traces of JPEG, both of which a factor of 2 takes away.
        sampled: Whether each patch draws its own parameters from the published ranges; else all have the fixed ones.
        seed: Of the choice of patches and of the damage.
    """

    patches: int = 800
    components: int = 300
    reduction: int = 2
    sampled: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """What a degradation looks like in a feature space.

    Attributes:
        name: The degradation's, or `CLEAN`.
        density: Fitted by moment matching, as GRIDS and SRGA do; all distances are taken between these.
        likelihood: Fitted to the same scores by maximum likelihood, for comparison.
        seconds: Time for damage, features, principal components and fits.
    """

    name: str
    density: GeneralisedGaussian
    likelihood: GeneralisedGaussian
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Signature:
        """What `to_dict` gave.

        Raises:
            ExaminationError: An entry is missing or is no number.
        """
        try:
            densities = [
                GeneralisedGaussian(float(stored[key]["alpha"]), float(stored[key]["sigma"]))
                for key in ("density", "likelihood")
            ]
            return cls(str(stored["name"]), *densities, seconds=float(stored["seconds"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ExaminationError(f"this is no signature ({error!r}); measure it again") from error


def cut_patches(paths: Sequence[Path], protocol: SignatureProtocol) -> Tensor:
    """Clean patches from random places of shrunken pictures, evenly many of each picture.

    Args:
        paths: Clean pictures; unreadable ones and those smaller than a patch are left out.
        protocol: How many patches, how shrunk, which seed.

    Returns:
        `(protocol.patches, 3, 128, 128)`, uint8.

    Raises:
        ExaminationError: No picture is usable.
    """
    drawn = np.random.default_rng(protocol.seed).permutation(len(paths))
    order = [paths[index] for index in drawn]
    while order:
        each = -(-protocol.patches // len(order))
        cut = partial(_cut, count=each, protocol=protocol)
        found: list[list[Tensor]] = []
        usable: list[Path] = []
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(order), BATCH):
                block = order[start : start + BATCH]
                for path, patches in zip(block, pool.map(cut, block), strict=True):
                    if patches:
                        found.append(patches)
                        usable.append(path)
                if sum(map(len, found)) >= protocol.patches:
                    rounds = [patch for several in zip(*found, strict=True) for patch in several]
                    return torch.stack(rounds[: protocol.patches])
        order = usable  # the rest has to give more patches each
    raise ExaminationError(
        f"none of {len(paths)} pictures can be read and is at least {CROP * protocol.reduction} pixels wide and high; "
        "give larger ones, or a smaller reduction"
    )


def measure_signature(
    features: Features, degradation: Degradation | None, patches: Tensor, protocol: SignatureProtocol
) -> Signature:
    """Damages the patches, describes them, and fits the scores of their principal components.

    Args:
        features: What describes a patch; all features are kept until the principal components are known, which takes
            1.7 GB for 800 patches of a 32-channel representation in float32, half of it in bfloat16.
        degradation: None for clean patches.
        patches: From `cut_patches`.
        protocol: The one they were cut by.

    Raises:
        ExaminationError: There are too few patches, or the features do not differ from patch to patch.
    """
    began = perf_counter()
    name = CLEAN if degradation is None else degradation.name
    generator = picture_generator(protocol.seed, name, "signature")
    kept: Tensor | None = None
    for start in range(0, len(patches), BATCH):
        damaged = _damaged(degradation, patches[start : start + BATCH], protocol, generator)
        margin = (CROP - features.patch_side) // 2
        fed = damaged[..., margin : CROP - margin, margin : CROP - margin]  # (B, 3, patch_side, patch_side)
        described = features(fed)
        if kept is None:
            kept = described.new_empty(len(patches), described[0].numel())  # (N, C * h * w)
        # The order of features does not matter to the scores, and this one is that of channels_last in memory.
        kept[start : start + BATCH] = described.permute(0, 2, 3, 1).flatten(1)
    if kept is None:
        raise ExaminationError("there is no patch to measure a signature on; ask for at least 2")
    scores = principal_scores(kept, protocol.components).cpu()
    return Signature(name, fit_moments(scores), fit_likelihood(scores), perf_counter() - began)


def _damaged(
    degradation: Degradation | None, patches: Tensor, protocol: SignatureProtocol, generator: torch.Generator
) -> Tensor:
    """`(B, 3, 128, 128)` uint8 to float32 of the same shape in [0, 1], rounded to 8 bit as a file would be."""
    clean = patches.float().div_(255)
    if degradation is None:
        return clean
    count = len(patches)
    parameters = degradation.sample(count, generator) if protocol.sampled else degradation.fixed(count)
    return quantise_8bit(degradation.apply(clean, parameters, generator))


def _cut(path: Path, count: int, protocol: SignatureProtocol) -> list[Tensor]:
    """`count` patches `(3, 128, 128)` uint8 of one picture; none if it cannot be used."""
    try:
        pixels = to_float(read(path).pixels)  # (H, W, 1 or 3)
    except PictureError:
        return []
    x = torch.from_numpy(pixels).permute(2, 0, 1).expand(3, -1, -1)[None]  # (1, 3, H, W)
    size = [side // protocol.reduction for side in x.shape[-2:]]
    if min(size) < CROP:
        return []
    x = F.interpolate(x, size=size, mode="bicubic", antialias=True)
    shrunk = x[0].mul(255).round_().clamp_(0, 255).byte()  # (3, h, w)
    places = np.random.default_rng([protocol.seed, *path.name.encode()])
    corners = [[int(places.integers(side - CROP + 1)) for side in size] for _ in range(count)]
    return [shrunk[:, top : top + CROP, left : left + CROP].clone() for top, left in corners]
