"""Every kind of bad input ends in one line that says what is wrong and what to do."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import subprocess
import sys

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from unblemish.pictures.errors import PictureError
from unblemish.pictures.reading import read

FORMS = {
    "JPEG": {},
    "PNG": {},
    "TIFF": {},
    "WEBP": {},
    "AVIF": {},
    "BMP": {},
}


def by_pillow(pixels, form: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def refusal(source, **options) -> str:
    with pytest.raises(PictureError) as caught:
        read(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    return message


def test_missing_file(tmp_path):
    path = tmp_path / "none.png"
    assert refusal(path) == f"{path}: there is no such file; check the name"


def test_folder(tmp_path):
    assert "is a folder; name a picture file" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "is not a regular file" in refusal(tmp_path / "pipe.png")


def test_name_that_is_too_long(tmp_path):
    assert "cannot be read (File name too long)" in refusal(tmp_path / ("x" * 300 + ".png"))


def test_zero_bytes(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    assert refusal(path) == f"{path}: is empty (0 bytes); get a whole copy of the file"
    assert refusal(b"", name="standard input").startswith("standard input: is empty")


def test_text_file(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("This is no picture.")
    assert "is not a picture; give a file in one of the formats PNG, JPEG" in refusal(path)


def test_permission(tmp_path, photograph):
    path = tmp_path / "secret.png"
    path.write_bytes(by_pillow(photograph, "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "reading it is not permitted; change its permissions" in refusal(path)


def test_permission_error_is_explained(tmp_path, photograph, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(by_pillow(photograph, "PNG"))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    assert "reading it is not permitted; change its permissions" in refusal(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.995])
def test_truncated_files(form, share, photograph, tmp_path):
    whole = by_pillow(np.tile(photograph, (4, 4, 1)), form)
    data = whole[: int(share * len(whole))]
    path = tmp_path / "x.dat"
    path.write_bytes(data)
    for source in (data, path):
        assert "is damaged" in refusal(source)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_truncation_is_seen_in_other_codings(form, photograph):
    options = {"progressive": True} if form == "JPEG" else {"compression": "tiff_lzw"}
    whole = by_pillow(np.tile(photograph, (4, 4, 1)), form, **options)
    assert "is damaged" in refusal(whole[: len(whole) // 2])


@pytest.mark.parametrize("form", FORMS)
def test_too_many_pixels_are_refused_before_decoding(form, photograph):
    data = by_pillow(photograph, form)
    height, width = photograph.shape[:2]
    assert read(data, pixel_cap=height * width).width == width
    message = refusal(data, pixel_cap=height * width - 1)
    assert message == (
        f"the picture: 64 x 48 pixels are more than the limit of {height * width - 1}; "
        "if the file can be trusted, raise the limit with --max-pixels"
    )


@pytest.mark.parametrize("form", ["PNG", "BMP"])
def test_a_bomb_is_refused_by_its_header_alone(form, photograph):
    data = bytearray(by_pillow(photograph, form))
    at, order = (16, ">") if form == "PNG" else (18, "<")
    data[at : at + 8] = struct.pack(order + "II", 60_000, 60_000)
    if form == "PNG":
        import zlib

        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    assert "60000 x 60000 pixels are more than the limit" in refusal(bytes(data))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_animations_and_pages(form, photograph):
    others = [Image.fromarray(255 - photograph)]
    data = by_pillow(photograph, form, save_all=True, append_images=others)
    assert "holds several frames or pages; save the one to restore as a file of its own" in refusal(data)


def test_gif(photograph):
    assert "is a GIF, which is not supported; save it (or one frame of it) as PNG" in refusal(
        by_pillow(photograph[..., 0], "GIF")
    )


@pytest.mark.parametrize("depth", ["int32", "uint32", "int16"])
def test_sample_types(depth):
    data = pyvips.Image.new_from_array(np.zeros((4, 4, 3), depth)).tiffsave_buffer()
    assert "sample type" in refusal(data)


@pytest.mark.parametrize("depth", ["complex64", "float64"])
def test_sample_types_that_the_decoder_does_not_know(depth):
    data = pyvips.Image.new_from_array(np.zeros((4, 4, 3), depth)).tiffsave_buffer()
    assert "of an unsupported kind" in refusal(data)


def test_many_channels():
    data = pyvips.Image.new_from_array(np.zeros((4, 4, 7), np.uint8)).tiffsave_buffer()
    assert "has 7 channels; save it as gray or RGB" in refusal(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), form=st.sampled_from(sorted(FORMS)))
def test_no_damage_raises_anything_but_a_picture_error(data, form, photograph):
    damaged = bytearray(by_pillow(photograph, form))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PictureError):
        read(bytes(damaged), pixel_cap=10**6)


def test_nothing_is_printed(tmp_path, photograph):
    """Decoders complain on standard error unless told not to; a process of its own shows what leaks."""
    for number, form in enumerate(FORMS):
        whole = by_pillow(np.tile(photograph, (4, 4, 1)), form)
        (tmp_path / f"{number}.dat").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "exif.jpg").write_bytes(by_pillow(photograph, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    code = (
        "import logging, sys; from pathlib import Path\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "from unblemish.pictures.reading import read\n"
        "from unblemish.pictures.errors import PictureError\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try: read(path)\n"
        "    except PictureError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_light_imports():
    code = (
        "import sys; import unblemish.pictures, unblemish.pictures.batch\n"
        "assert not {'torch', 'pyvips', 'PIL'} & set(sys.modules), 'heavy modules'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_original_is_left_alone(tmp_path, photograph):
    path = tmp_path / "x.jpg"
    path.write_bytes(by_pillow(photograph, "JPEG"))
    path.chmod(stat.S_IRUSR)
    before = path.read_bytes(), path.stat().st_mtime_ns
    read(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
