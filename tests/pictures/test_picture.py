from __future__ import annotations

import numpy as np
import pytest

from unblemish.pictures.picture import Picture, from_float, to_float


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_every_integer_sample_survives_float_and_back(depth):
    every = np.arange(np.iinfo(depth).max + 1, dtype=depth).reshape(-1, 1, 1)
    values = to_float(every)
    assert values.min() == 0.0
    assert values.max() == 1.0
    assert np.array_equal(from_float(values, every.dtype), every)


def test_from_float_clamps_and_rounds_integers_and_leaves_floats():
    values = np.array([-0.5, 0.4999 / 255, 0.5001 / 255, 1.5], np.float32)
    assert from_float(values, np.dtype(np.uint8)).tolist() == [0, 0, 1, 255]
    assert np.array_equal(from_float(values, np.dtype(np.float32)), values)


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 4), np.uint8), None),
        (np.zeros((4, 4, 2), np.uint8), None),
        (np.zeros((4, 4, 3), np.int16), None),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16)),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8)),
    ],
)
def test_pixels_that_break_the_contract_are_refused(pixels, alpha):
    with pytest.raises(ValueError, match="must be"):
        Picture(pixels, "png", alpha=alpha)


def test_other_pixels_keep_what_surrounds_them():
    picture = Picture(np.zeros((4, 6, 3), np.uint8), "jpeg", icc=b"profile", jpeg_quality=80, notes=("a",))
    other = picture.with_pixels(np.ones((4, 6, 3), np.uint8))
    assert (other.icc, other.jpeg_quality, other.notes, other.format) == (b"profile", 80, ("a",), "jpeg")
    assert (other.height, other.width, other.is_gray) == (4, 6, False)
