"""How many pixels next to a tile's edge differ visibly from the whole picture's result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from unblemish.networks.base import Network

TOLERANCE = 0.25 / 255
"""A quarter of an 8-bit level: rounding hides most of it, and it is a quarter of what tiles may differ."""


@torch.inference_mode()
def measure_margin(network: Network, pictures: Sequence[Tensor], tolerance: float = TOLERANCE) -> int:
    """The margin that tiles need in practice.

    Deep networks can see far (their receptive field) yet hardly look there. This cuts each picture at a third
    of its width and of its height, restores the pieces, and looks how far from the cut they differ from the
    picture restored whole.

    Args:
        network: In evaluation mode, with a finite receptive field.
        pictures: `(3, H, W)` float32 in [0, 1], best damaged ones of the kinds it treats; sides of more than
            twice the receptive field make the measurement complete.
        tolerance: Largest difference that counts as none, white being 1.

    Returns:
        Margin in input pixels, at most the receptive field.

    Raises:
        ValueError: The network depends on the whole picture: no margin makes its tiles exact.
    """
    if network.receptive_field is None:
        raise ValueError(f"{type(network).__name__} sees the whole picture; no margin makes its tiles exact")
    margin = 0
    for picture in pictures:
        for turned in (picture, picture.transpose(1, 2)):  # cuts across columns, then across rows
            batch = turned.contiguous()[None]  # (1, 3, H, W)
            cut = batch.shape[3] // 3 // network.size_multiple * network.size_multiple
            whole = network(batch)[..., cut * network.scale :]
            piece = network(batch[..., cut:])
            worst = (whole - piece).abs().amax(dim=(0, 1, 2)).numpy()  # (scale * (W - cut),)
            beyond = np.flatnonzero(worst > tolerance)
            if beyond.size:
                margin = max(margin, int(beyond[-1]) // network.scale + 1)
    return min(margin, network.receptive_field)
