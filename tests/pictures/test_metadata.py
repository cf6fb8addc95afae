from __future__ import annotations

import io

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unblemish.pictures.metadata import (
    exif_of_tiff,
    exif_orientation,
    icc_channels,
    put_exif_into_tiff,
    tidy_exif,
    tidy_xmp,
)


def parsed(block: bytes) -> tuple[dict, dict, dict]:
    """Main, Exif and GPS tags as Pillow reads them."""
    found = Image.Exif()
    found.load(block)
    return dict(found), dict(found.get_ifd(0x8769)), dict(found.get_ifd(0x8825))


@pytest.mark.parametrize("endian", ["<", ">"])
def test_only_the_orientation_changes(exif, endian):
    exif.endian = endian
    block = exif.tobytes()
    assert exif_orientation(block) == 6
    tidy = tidy_exif(block)
    assert exif_orientation(tidy) == 1
    before, after = parsed(block), parsed(tidy)
    assert after[0].pop(0x0112) == 1
    assert before[0].pop(0x0112) == 6
    assert before == after
    assert len(tidy) == len(block.removeprefix(b"Exif\0\0"))


def test_the_preview_of_the_damaged_picture_goes(exif):
    block = bytearray(exif.tobytes().removeprefix(b"Exif\0\0"))
    # Give the block a second directory by pointing the first one's link at the first one itself.
    entries = int.from_bytes(block[8:10], "big" if block[:2] == b"MM" else "little")
    at = 10 + 12 * entries
    block[at : at + 4] = (8).to_bytes(4, "big" if block[:2] == b"MM" else "little")
    assert tidy_exif(bytes(block))[at : at + 4] == bytes(4)


@pytest.mark.parametrize("block", [b"", b"Exif\0\0", b"garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", bytes(70_000)])
def test_damaged_exif_raises_value_error(block):
    with pytest.raises(ValueError, match=r"^(has|is|ends|points)"):
        tidy_exif(block)
    assert exif_orientation(block) == 1


@given(st.data())
def test_no_damage_to_exif_raises_anything_else(data):
    source = Image.Exif()
    source[0x0112], source[0x010F] = 3, "Somebody"
    source.get_ifd(0x8769)[0x9003] = "2020:01:02 10:00:00"
    block = bytearray(source.tobytes().removeprefix(b"Exif\0\0"))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(block[: data.draw(st.integers(0, len(block)))])
    assert exif_orientation(damaged) in range(1, 9)
    try:
        tidy = tidy_exif(damaged)
    except ValueError:
        return
    assert len(tidy) == len(damaged)


@pytest.mark.parametrize("value", [0, 9, 300])
def test_impossible_orientations_mean_upright(value):
    block = Image.Exif()
    block[0x0112] = value
    assert exif_orientation(block.tobytes()) == 1


def test_xmp_orientation_is_reset_in_both_notations():
    assert tidy_xmp(b'<a tiff:Orientation="6" b="6"/>') == b'<a tiff:Orientation="1" b="6"/>'
    assert tidy_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"
    assert tidy_xmp(b"<x/>") == b"<x/>"


def test_icc_channels(srgb_profile):
    assert icc_channels(srgb_profile) == 3
    assert icc_channels(srgb_profile.replace(b"RGB ", b"GRAY", 1)) == 1
    assert icc_channels(b"short") is None


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_exif_goes_into_tiff_and_comes_back(exif, endian, big, photograph):
    exif.endian = endian
    block = tidy_exif(exif.tobytes())
    image = pyvips.Image.new_from_array(photograph, interpretation="srgb")
    file = io.BytesIO(image.tiffsave_buffer(bigtiff=big))
    assert exif_of_tiff(file) is None
    put_exif_into_tiff(file, block)
    reopened = Image.open(io.BytesIO(file.getvalue()))
    assert np.array_equal(np.asarray(reopened), photograph)
    found = reopened.getexif()
    main, detail, place = parsed(block)
    assert dict(found.get_ifd(0x8769)) == detail
    assert dict(found.get_ifd(0x8825)) == place
    assert (found[0x010F], found[0x8298]) == ("Maker", "The photographer")
    again = exif_of_tiff(file)
    assert again is not None
    main_again, detail_again, place_again = parsed(again)
    assert (detail_again, place_again) == (detail, place)
    # Orientation describes the layout of the pixels and stays with the file; pointers move.
    differing = {0x0112, 0x8769, 0x8825}
    assert {k: v for k, v in main_again.items() if k not in differing} == {
        k: v for k, v in main.items() if k not in differing
    }


def test_a_damaged_tiff_raises_value_error():
    with pytest.raises(ValueError, match="ends early"):
        exif_of_tiff(io.BytesIO(b"II*\0\x08\0\0\0\5\0\1\2"))
