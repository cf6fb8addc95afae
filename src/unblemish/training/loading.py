"""Files as arrays: a picture, or a pair as one array of six channels.

Whatever is cut, turned, mirrored or shrunk of such an array is so of both pictures, at the same place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from unblemish.pictures.colour import gray_rgb
from unblemish.pictures.pairs import Pair, require_one_size
from unblemish.pictures.picture import from_float, to_float
from unblemish.pictures.reading import read

RGB8 = NDArray[np.uint8]
"""`(H, W, 3)`; of a pair `(H, W, 6)`, the clean original's channels before the damaged picture's."""

Source = Path | Pair
"""What patches are cut from: a picture, or a pair of them."""


def path_of(source: Source) -> Path:
    """The file that a source is known by; of a pair the clean original, where there is one."""
    return source.path if isinstance(source, Pair) else source


def load(source: Source, gray: bool = False) -> RGB8:
    """A picture as `(H, W, 3)`, a pair as `(H, W, 6)`, see `load_rgb`.

    Args:
        source: What to read.
        gray: Give the luma of each picture, in its three channels.

    Raises:
        PictureError: A file is broken, missing or no picture, or the two of a pair differ in size.
    """
    if not isinstance(source, Pair):
        return load_rgb(source, gray)
    damaged, clean = (load_rgb(path, gray) for path in source.files())
    require_one_size(source, (damaged.shape[0], damaged.shape[1]), (clean.shape[0], clean.shape[1]))
    return np.concatenate([clean, damaged], axis=2)  # (H, W, 6)


def load_rgb(path: Path, gray: bool = False) -> RGB8:
    """A picture as 8-bit RGB `(H, W, 3)`; gray is repeated, alpha dropped.

    Args:
        path: Of the file.
        gray: Give the luma, in all three channels.

    Raises:
        PictureError: The file is broken or no picture.
    """
    pixels = read(path).pixels
    rounded = pixels if pixels.dtype == np.uint8 else from_float(to_float(pixels), np.dtype(np.uint8))
    samples = np.asarray(rounded, np.uint8)
    rgb = samples if samples.shape[2] == 3 else samples.repeat(3, axis=2)  # (H, W, 3)
    return gray_rgb(rgb) if gray else rgb


def shrink(pixels: RGB8, scale: float) -> RGB8:
    """Antialiased bicubic reduction of `(H, W, C)` by a factor in (0, 1]."""
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()  # (1, C, H, W)
    size = [max(1, round(side * scale)) for side in pixels.shape[:2]]
    y = torch.nn.functional.interpolate(x, size=size, mode="bicubic", antialias=True)
    return y.round_().clamp_(0, 255).byte()[0].permute(1, 2, 0).contiguous().numpy()  # (h, w, C)
