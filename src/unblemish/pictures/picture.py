"""Picture: pixels plus what must survive a round trip."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""Samples as stored: 0..255, 0..65535, or floats nominally in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    r"""A still picture in host memory, upright, in the sample type of its file.

    Attributes:
        pixels: `(H, W, C)`, C-contiguous, C = 1 (gray) or 3 (RGB), uint8, uint16 or float32.
        format: Key of the format it came from or is to be written as ("png", "jpeg", "tiff", "webp", "bmp",
            "avif", "heif").
        alpha: `(H, W)` of the same sample type, or None; never touched by restoration.
        icc: ICC profile that `pixels` are in, or None.
        exif: EXIF block (TIFF structure, without the "Exif\0\0" prefix), its orientation reset, or None.
        xmp: XMP packet, or None.
        jpeg_quality: Quality (1..100) the file was saved with, as its quantisation tables tell, or None.
        lossless: Whether the file was saved without loss in a format that can be lossy (WebP, AVIF).
        bits: Bits a sample of an AVIF or HEIC file of 10 or 12; `pixels` span the full range all the same.
        resolution: Pixels per millimetre in x and y; None where the file states none, or 72 an inch.
        notes: What reading had to change, one sentence each, for the user to see.
    """

    pixels: Pixels
    format: str
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    jpeg_quality: int | None = None
    lossless: bool = False
    bits: int | None = None
    resolution: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] not in (1, 3):
            raise ValueError(f"pixels must be (H, W, 1) or (H, W, 3), not {self.pixels.shape}")
        if self.pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise ValueError(f"pixels must be uint8, uint16 or float32, not {self.pixels.dtype}")
        if self.alpha is not None and (
            self.alpha.shape != self.pixels.shape[:2] or self.alpha.dtype != self.pixels.dtype
        ):
            raise ValueError("alpha must be (H, W) of the pixels' size and sample type")

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.pixels.shape[1]

    @property
    def is_gray(self) -> bool:
        """Whether there is one colour channel."""
        return self.pixels.shape[2] == 1

    def with_pixels(self, pixels: Pixels) -> Picture:
        """The same picture with other pixels; everything that surrounds them is kept.

        Raises:
            ValueError: `pixels` have another size while the picture has alpha, or are no valid pixels.
        """
        return replace(self, pixels=pixels)


def sample_range(dtype: np.dtype) -> float:
    """The sample value that stands for 1.0: 255, 65535, or 1 for floats."""
    return 1.0 if dtype == np.float32 else float(np.iinfo(dtype).max)


def to_float(pixels: Pixels) -> NDArray[np.float32]:
    """Samples as float32 with white at 1.0; the shape is kept. Use it on regions, not on huge pictures."""
    return pixels.astype(np.float32) / np.float32(sample_range(pixels.dtype))


def from_float(values: NDArray[np.float32], dtype: np.dtype) -> Pixels:
    """Float samples in a file's sample type: clamped and rounded for integers, as they are for floats."""
    if dtype == np.float32:
        return values.astype(np.float32, copy=False)
    top = sample_range(dtype)
    return np.rint(np.clip(values, 0.0, 1.0) * np.float32(top)).astype(dtype)
