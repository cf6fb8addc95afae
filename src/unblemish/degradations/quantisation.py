"""Rounding to what a file of 8 bits a channel can hold."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Rounding = Literal["nearest", "truncated", "none"]
"""What becomes of a damaged picture's values in [0, 1]: the nearest of the 256 levels k / 255, the next lower one, or
they stay as they are."""


def rounded(pictures: Tensor, rounding: Rounding) -> Tensor:
    """Clamps to [0, 1] and rounds in one of the ways.

    Args:
        pictures: Any shape, float32 or float64; left as they are.
        rounding: `quantise_8bit` for "nearest", `truncate_8bit` for "truncated", clamping alone for "none".

    Returns:
        The same shape and dtype.
    """
    match rounding:
        case "nearest":
            return quantise_8bit(pictures)
        case "truncated":
            return truncate_8bit(pictures)
        case "none":
            return pictures.clamp(0.0, 1.0)


def quantise_8bit(pictures: Tensor) -> Tensor:
    """Rounds to the nearest of the 256 levels k / 255 (ties to the even k, as NumPy does) and clamps.

    The degradations themselves do not round. Callers do it once, after the last operator, because a damaged
    picture reaches a restorer as an 8-bit file (GRIDS's published functions round likewise).

    Args:
        pictures: Any shape, floating point; values outside [0, 1] are clamped.

    Returns:
        The same shape and dtype, each value k / 255 with k = 0..255.
    """
    return pictures.clamp(0.0, 1.0).mul_(255.0).round_().div_(255.0)


def truncate_8bit(pictures: Tensor) -> Tensor:
    """Clamps and cuts off to the next lower of the 256 levels k / 255, which darkens by half a level on average.

    NumPy's `astype(np.uint8)` does so, and with it the released code of CLEARER (Gou et al., NeurIPS 2020), in
    training and in testing.

    Args:
        pictures: Any shape, float32 or float64; values outside [0, 1] are clamped.

    Returns:
        The same shape and dtype, each value k / 255 with k = 0..255; values of that form are kept.
    """
    return pictures.clamp(0.0, 1.0).mul_(255.0).floor_().div_(255.0)
