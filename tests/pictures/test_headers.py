from __future__ import annotations

import io

import numpy as np
import pytest
import pyvips
from PIL import Image

from unblemish.pictures.headers import Header, read_facts


def saved(photograph, form, **options) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, form, **options)
    return file


@pytest.mark.parametrize(("form", "key"), [("PNG", "png"), ("WEBP", "webp")])
def test_animations_are_seen(form, key, photograph):
    other = Image.fromarray(255 - photograph)
    assert read_facts(saved(photograph, form, save_all=True, append_images=[other]), key).animated
    assert not read_facts(saved(photograph, form), key).animated


@pytest.mark.parametrize("lossless", [False, True])
def test_lossless_coding_is_seen(lossless, photograph):
    assert read_facts(saved(photograph, "WEBP", lossless=lossless), "webp").lossless is lossless
    image = pyvips.Image.new_from_array(photograph, interpretation="srgb")
    data = image.heifsave_buffer(compression="av1", lossless=lossless, Q=80)
    assert read_facts(io.BytesIO(data), "avif").lossless is lossless


def test_jpeg_quality_is_estimated(photograph):
    assert read_facts(saved(photograph, "JPEG", quality=42), "jpeg").jpeg_quality == 42


def test_code_points_of_other_colours_are_noted():
    chunk = bytes((9, 16, 0, 1))
    start = b"\x89PNG\r\n\x1a\n"
    file = io.BytesIO(start + (4).to_bytes(4) + b"cICP" + chunk + bytes(4) + bytes(4) + b"IDAT")
    assert "9/16" in read_facts(file, "png").notes[0]
    srgb = io.BytesIO(start + (4).to_bytes(4) + b"cICP" + bytes((1, 13, 0, 1)) + bytes(8) + b"IDAT")
    assert read_facts(srgb, "png").notes == ()


def test_premultiplied_alpha_is_noted():
    image = pyvips.Image.new_from_array(np.full((4, 4, 4), 128, np.uint8), interpretation="srgb")
    notes = read_facts(io.BytesIO(image.tiffsave_buffer(premultiply=True)), "tiff").notes
    assert "premultiplied" in notes[0]
    assert read_facts(io.BytesIO(image.tiffsave_buffer()), "tiff").notes == ()


@pytest.mark.parametrize("key", ["png", "jpeg", "webp", "avif", "heif", "bmp"])
def test_damaged_headers_give_no_facts_and_no_error(key):
    for data in (b"", b"\0" * 40, b"\xff" * 40):
        assert read_facts(io.BytesIO(data), key) == Header()


def test_a_damaged_tiff_header_is_noted():
    assert "EXIF dropped" in read_facts(io.BytesIO(b"II*\0\xff\xff\xff\xff"), "tiff").notes[0]
