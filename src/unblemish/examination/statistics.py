"""Everything that is measured on a picture before anything is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unblemish.examination import representation, residuals, spectrum, tones
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.generalised_gaussian import GeneralisedGaussian, fit_moments
from unblemish.examination.patches import PatchGrid, spread
from unblemish.examination.principal_components import principal_scores

CROP = 16
"""Side in pixels of the crops whose representations give a picture's generalised Gaussian (GRIDS, Sec. 5.2, augments
one picture by many crops)."""

COMPONENTS = 300
"""Principal components of the crops' representations, as for signatures of degradations."""

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured.

    Attributes:
        moments: `(P, M)`, of each patch: representation, spectrum, residuals.
        tones: `(T,)`, of the whole picture.
        signature: Generalised Gaussian of the picture's deep representation.
        grid: Where the patches lie; P is its rows times its columns.
    """

    moments: Tensor
    tones: Tensor
    signature: GeneralisedGaussian
    grid: PatchGrid


def measure(features: DeepRepresentation, picture: Tensor) -> Measurement:
    """Measures a picture on even patches.

    Args:
        features: With tap "trunk".
        picture: `(3, H, W)` float32 in [0, 1] of any size, on the CPU.
    """
    grid = spread(*picture.shape[1:])
    patches = grid.cut(picture)  # (P, 3, SIDE, SIDE)
    described, crops = [], []
    for batch in patches.split(_BATCH):
        deep = features(batch).cpu()  # (B, C, SIDE, SIDE)
        described.append(representation.gather(deep))
        tiles = deep.unfold(2, CROP, CROP).unfold(3, CROP, CROP)  # (B, C, n, n, CROP, CROP)
        crops.append(tiles.permute(0, 2, 3, 1, 4, 5).flatten(0, 2).flatten(1))  # (B * n * n, C * CROP * CROP)
    moments = torch.cat((torch.cat(described), spectrum.gather(patches), residuals.gather(patches)), dim=1)
    scores = principal_scores(torch.cat(crops), COMPONENTS)
    # A picture of one colour has no spread at all; the least one stands for it.
    signature = fit_moments(scores if bool(scores.any()) else scores.new_tensor([-1e-6, 1e-6]))
    return Measurement(moments, tones.describe(picture), signature, grid)


def local_vectors(moments: Tensor) -> Tensor:
    """What tells the damage of single patches, or of the mean over several.

    Args:
        moments: `(..., M)`.

    Returns:
        `(..., D)`: descriptions of representation, spectrum and residuals.
    """
    rest = spectrum.RINGS + 1 + spectrum.SECTORS + residuals.MOMENTS
    deep, power, near = moments.split(
        (moments.shape[-1] - rest, spectrum.RINGS + 1 + spectrum.SECTORS, residuals.MOMENTS), dim=-1
    )
    parts = (representation.describe(deep), spectrum.describe(power), residuals.describe(near))
    return torch.cat(parts, dim=-1)


def picture_vector(moments: Tensor, tone: Tensor, chosen: Tensor | None = None) -> Tensor:
    """What tells the damage of a picture: the description of its mean patch, and its tones.

    Args:
        moments: `(P, M)`.
        tone: `(T,)`.
        chosen: Indices of the patches to average; all where None.

    Returns:
        `(D + T,)`.
    """
    mean = (moments if chosen is None else moments[chosen]).mean(0)
    return torch.cat((local_vectors(mean), tone))
