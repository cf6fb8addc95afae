from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from unblemish.pictures.colour import gray_rgb, rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb


def test_agrees_with_scikit_image(random_samples):
    colour = pytest.importorskip("skimage.color")
    rgb = random_samples((9, 11, 3), "float32").astype(np.float64)
    expected = colour.rgb2ycbcr(rgb) / 255
    assert np.allclose(rgb_to_ycbcr(rgb), expected, rtol=0, atol=1e-12)
    assert np.allclose(rgb_to_y(rgb), expected[..., 0], rtol=0, atol=1e-12)


def test_swing_and_inverse(random_samples):
    black_and_white = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert np.allclose(rgb_to_ycbcr(black_and_white) * 255, [[16, 128, 128], [235, 128, 128]])
    rgb = random_samples((5, 6, 3), "float32").astype(np.float64)
    assert np.allclose(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, rtol=0, atol=1e-12)


def test_gray_is_that_of_pillow_to_the_level():
    steps = np.arange(0, 256, 5, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(52, -1, 3)  # (H, W, 3)
    gray = gray_rgb(colours)
    assert (gray.shape, gray.dtype) == (colours.shape, np.uint8)
    assert all(np.array_equal(gray[..., c], np.asarray(Image.fromarray(colours).convert("L"))) for c in range(3))
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    assert np.array_equal(gray_rgb(levels), levels)
