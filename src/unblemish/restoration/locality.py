"""Where a picture is to be treated, if only a part of it is damaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from unblemish.examination.examination import Region

SOUND = 0.1
"""Probability of the damage that is to be treated below which a region counts as sound."""

LEAST_SHARE = 0.2
"""Share of regions, sound like all their neighbours, from which on damage counts as local."""


def damage_mask(regions: Sequence[Sequence[Region]], height: int, width: int) -> NDArray[np.float32] | None:
    """How much of the treatment each pixel is to get, from 0 to 1.

    Only regions whose neighbours are sound too are spared, so that damage between two examined squares is not, and
    the treatment fades out over the sound side of the border.

    Args:
        regions: Rows of squares, see `Examination.regions`.
        height: Of the picture.
        width: Of the picture.

    Returns:
        `(height, width)`; None where damage is all over or nowhere, or fewer than three rows or columns of squares
        were examined.
    """
    damage = torch.tensor([[region.treatable for region in row] for row in regions])  # (rows, columns)
    if min(damage.shape) < 3:
        return None
    worst = F.max_pool2d(damage[None, None], 3, stride=1, padding=1)  # (1, 1, rows, columns)
    treated = (worst >= SOUND).float()
    if not 0 < float(treated.double().mean()) <= 1 - LEAST_SHARE:
        return None
    mask = F.interpolate(treated, (height, width), mode="bilinear", align_corners=False)
    return mask[0, 0].numpy()
