from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unblemish.pictures.bmp import bmp_size, read_bmp, write_bmp
from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import Picture


def written(picture: Picture) -> bytes:
    file = io.BytesIO()
    write_bmp(picture, file)
    return file.getvalue()


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.booleans())
def test_round_trip_at_every_row_padding(height, width, channels, alpha):
    generator = np.random.default_rng(height * 10 + width)
    pixels = generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    mask = generator.integers(0, 256, (height, width), dtype=np.uint8) if alpha else None
    data = written(Picture(pixels, "bmp", alpha=mask, resolution=(4.0, 8.0)))
    assert bmp_size(data) == (width, height)
    again = read_bmp(io.BytesIO(data), "x")
    assert np.array_equal(np.broadcast_to(pixels, again.pixels.shape), again.pixels)
    assert (mask is None and again.alpha is None) or np.array_equal(mask, again.alpha)
    assert again.resolution == pytest.approx((4.0, 8.0))


@pytest.mark.parametrize("alpha", [False, True])
def test_opencv_reads_what_is_written(alpha, random_samples):
    pixels, mask = random_samples((700, 5, 3)), random_samples((700, 5)) if alpha else None
    data = np.frombuffer(written(Picture(pixels, "bmp", alpha=mask)), np.uint8)
    found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found[..., 2::-1], pixels)
    assert mask is None or np.array_equal(found[..., 3], mask)


@pytest.mark.parametrize(("mode", "note"), [("1", "1 bit expanded to 8"), ("P", "palette expanded to RGB"), ("L", "")])
def test_files_of_pillow(mode, note, photograph):
    image = Image.fromarray(photograph).convert(mode)
    file = io.BytesIO()
    image.save(file, "BMP")
    picture = read_bmp(file, "x")
    expected = np.asarray(image.convert("RGB" if mode == "P" else "L"))
    assert np.array_equal(picture.pixels.squeeze(), expected)
    assert "".join(picture.notes) == note


def test_truncated_files_are_refused(photograph):
    data = written(Picture(photograph, "bmp"))
    for length in (20, 60, len(data) // 2, len(data) - 1):
        with pytest.raises(PictureError, match=r"^x: is damaged or cut off .*; get a whole copy"):
            read_bmp(io.BytesIO(data[:length]), "x")
    assert bmp_size(data[:20]) == (0, 0)
