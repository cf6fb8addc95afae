from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.pictures.errors import PictureError
from unblemish.pictures.formats import (
    FORMATS,
    format_named,
    format_of_name,
    formats_that_hold,
    is_picture_name,
    recognise,
)


def test_suffixes_belong_to_one_format_each():
    suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(FORMATS[entry.written_as].written_as == entry.written_as for entry in FORMATS.values())


@pytest.mark.parametrize("name", ["jpg", "JPEG", ".Jpg", "jfif"])
def test_formats_go_by_key_and_suffix(name):
    assert format_named(name).key == "jpeg"


def test_an_unknown_format_lists_the_known_ones():
    with pytest.raises(PictureError, match="choose one of: png, jpeg, tiff"):
        format_named("gif")


def test_picture_names():
    assert format_of_name(Path("a/B.TIFF")) is FORMATS["tiff"]
    assert not any(is_picture_name(Path(name)) for name in ("Thumbs.db", "a.txt", "png", "a.jpg.part"))


@pytest.mark.parametrize(
    ("head", "key"),
    [
        (b"\x89PNG\r\n\x1a\n....", "png"),
        (b"\xff\xd8\xff\xe0....", "jpeg"),
        (b"II*\0....", "tiff"),
        (b"MM\0+....", "tiff"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"BM\0\1\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "bmp"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "avif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "avif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heif"),
    ],
)
def test_content_decides_the_format(head, key):
    assert recognise(head, "x").key == key


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"GIF89a", "x: is a GIF, which is not supported; save it"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"BMW is a make of cars, not a picture", "is not a picture; give a file in one of the formats PNG"),
        (b"RIFF\0\0\0\0WAVE", "is not a picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "is not a picture"),
        (b"#!/bin/sh", "is not a picture"),
        (b"\x89", "is not a picture"),
    ],
)
def test_other_files_are_named_for_what_they_are(head, words):
    with pytest.raises(PictureError, match=words):
        recognise(head, "x")


def test_formats_that_hold_name_only_writable_ones():
    assert formats_that_hold("uint8", False) == "PNG or JPEG or TIFF or WebP or BMP or AVIF"
    assert formats_that_hold("uint16", True) == "PNG or TIFF or AVIF"
    assert formats_that_hold("float32", True) == "TIFF"
