"""RGB, YCbCr and gray, with the weights of Rec. ITU-R BT.601.

YCbCr is in studio swing, its Y the "Y channel" in which super-resolution papers score. The coefficients are those
for 8 bits, as MATLAB's `rgb2ycbcr` has them: for R, G, B in [0, 1], Y lies in [16, 235] / 255 and Cb, Cr in
[16, 240] / 255. Gray spans the full range, 0 to 255, as Pillow's `convert("L")` has it, which papers on denoising of
gray pictures use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MATRIX = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255.0
_OFFSET = np.array([16.0, 128.0, 128.0]) / 255.0
_GRAY = np.array([19595, 38470, 7471], dtype=np.uint32)  # 0.299, 0.587, 0.114 in 65536ths


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


def gray_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB without its colours: the gray of Pillow's `convert("L")`, to the level.

    Args:
        pixels: `(H, W, 3)`, 0..255, gamma-encoded as in a picture file.

    Returns:
        `(H, W, 3)`, three equal channels, a read-only view of one.
    """
    gray = (pixels @ _GRAY + 0x8000 >> 16).astype(np.uint8)  # (H, W)
    return np.broadcast_to(gray[..., None], pixels.shape)
