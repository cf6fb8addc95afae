"""Rounding to what a file of 8 bits a channel can hold."""

from __future__ import annotations

from torch import Tensor


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
