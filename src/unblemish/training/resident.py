"""Pictures kept as bytes on the device that trains, so that a step sends no pixels there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class ResidentPictures:
    """Cuts patches on a device out of pictures that lie there one after another.

    A turned or mirrored square of a picture is a view of its array: an address and two strides. These three numbers
    are all that travels; the device gathers the samples.

    Args:
        pixels: `(N, C)` uint8, of all pictures, row after row; kept as it is.
        device: Where a copy of them is kept.

    Attributes:
        device: The same.
    """

    def __init__(self, pixels: NDArray[np.uint8], device: torch.device) -> None:
        self.device = device
        self._address = pixels.ctypes.data
        self._samples = torch.from_numpy(pixels).to(device)  # (N, C)

    def gather(self, patches: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Equal square views `(side, side, C)` into `pixels` as `(B, side, side, C)` uint8 on the device."""
        pixel = self._samples.shape[1]  # bytes of one
        places = [
            ((patch.ctypes.data - self._address) // pixel, patch.strides[0] // pixel, patch.strides[1] // pixel)
            for patch in patches
        ]  # fmt: skip
        first, down, right = torch.tensor(places).to(self.device).view(-1, 3, 1, 1).unbind(1)  # (B, 1, 1) each
        along = torch.arange(len(patches[0]), device=self.device)
        return self._samples[first + down * along[:, None] + right * along]
