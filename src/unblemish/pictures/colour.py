"""RGB and YCbCr of BT.601 in studio swing, the "Y channel" in which super-resolution papers score.

The coefficients are those of Rec. ITU-R BT.601 for 8 bits, as MATLAB's `rgb2ycbcr` has them: for R, G, B in
[0, 1], Y lies in [16, 235] / 255 and Cb, Cr in [16, 240] / 255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MATRIX = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255.0
_OFFSET = np.array([16.0, 128.0, 128.0]) / 255.0


def rgb_to_y(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """Luma of RGB.

    Args:
        rgb: `(..., 3)`, [0, 1], gamma-encoded as in a picture file.

    Returns:
        `(...)`, in [16, 235] / 255, not rounded.
    """
    return rgb @ _MATRIX[0] + _OFFSET[0]


def rgb_to_ycbcr(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """Luma and colour differences of RGB: `(..., 3)` in [0, 1] to `(..., 3)`, not rounded."""
    return rgb @ _MATRIX.T + _OFFSET


def ycbcr_to_rgb(ycbcr: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of `rgb_to_ycbcr`: `(..., 3)` to `(..., 3)`, neither clamped nor rounded."""
    return (ycbcr - _OFFSET) @ np.linalg.inv(_MATRIX).T
