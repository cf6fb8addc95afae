from __future__ import annotations

import io
import os
import resource
import threading

import cv2
import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unblemish.pictures import writing
from unblemish.pictures.errors import PictureError
from unblemish.pictures.formats import FORMATS
from unblemish.pictures.metadata import tidy_exif
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import encode, refuse_same_file, write

WRITABLE = [entry.key for entry in FORMATS.values() if entry.written_as == entry.key]
KINDS = [
    (entry.key, depth, channels, alpha)
    for entry in FORMATS.values()
    if entry.written_as == entry.key
    for depth in entry.depths
    for channels in (1, 3)
    for alpha in ((False, True) if entry.alpha else (False,))
]


def samples(generator, shape, depth):
    if depth == "float32":
        return generator.random(shape, dtype=np.float32)
    return generator.integers(0, np.iinfo(depth).max, shape, dtype=depth, endpoint=True)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_round_trip_of_every_kind_and_size(kind, height, width, seed):
    """Every format, depth and number of channels, with and without alpha, without loss where possible."""
    form, depth, channels, with_alpha = kind
    generator = np.random.default_rng(seed)
    pixels = samples(generator, (height, width, channels), depth)
    alpha = samples(generator, (height, width), depth) if with_alpha else None
    again = read(encode(Picture(pixels, form, alpha=alpha, lossless=True)))
    assert (again.format, again.pixels.dtype) == (form, pixels.dtype)
    if FORMATS[form].gray and not (form == "bmp" and with_alpha):
        assert again.pixels.shape == pixels.shape
    step = 8 if (form, depth) == ("avif", "uint16") else 0  # 12 of 16 bits, rounded
    if form != "jpeg":
        assert np.abs(again.pixels.astype(np.float64) - pixels).max() <= step
    if alpha is None:
        assert again.alpha is None
    else:
        assert np.abs(again.alpha.astype(np.float64) - alpha).max() <= step


def by_pillow_as_jpeg(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, subsampling=0)
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


@pytest.mark.parametrize("form", WRITABLE)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_pillow_reads_8_bits(form, channels, with_alpha, photograph, random_samples):
    if with_alpha and not FORMATS[form].alpha:
        pytest.skip("no alpha")
    pixels, alpha = photograph[..., :channels], random_samples(photograph.shape[:2]) if with_alpha else None
    image = Image.open(io.BytesIO(encode(Picture(pixels, form, alpha=alpha, lossless=True))))
    found = np.asarray(image.convert("RGBA"))
    expected = by_pillow_as_jpeg(pixels.squeeze()) if form == "jpeg" else pixels
    assert np.abs(found[..., :3].astype(int) - expected).max() <= (1 if form == "jpeg" else 0)
    assert alpha is None or np.array_equal(found[..., 3], alpha)
    assert image.mode == {(1, False): "L", (1, True): "LA"}.get(
        (channels if FORMATS[form].gray and not (form == "bmp" and with_alpha) else 3, with_alpha),
        "RGBA" if with_alpha else "RGB",
    )


@pytest.mark.parametrize("form", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("depth", ["uint16", "float32"])
def test_opencv_reads_deep_samples(form, channels, depth, random_samples):
    if depth not in FORMATS[form].depths:
        pytest.skip("no floats")
    every = random_samples((9, 7, channels), depth)
    alpha = every[..., 3].copy() if channels == 4 else None
    data = encode(Picture(every[..., :3].copy(), form, alpha=alpha))
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.dtype(depth)
    ordered = found.reshape(9, 7, channels)[..., [2, 1, 0, 3][:channels] if channels > 1 else [0]]
    assert np.array_equal(ordered, every)


@pytest.mark.parametrize("form", WRITABLE)
def test_metadata_comes_out(form, photograph, srgb_profile, exif, xmp):
    block = tidy_exif(exif.tobytes())
    picture = Picture(photograph, form, icc=srgb_profile, exif=block, xmp=xmp, resolution=(12.0, 6.0))
    kind, data = FORMATS[form], encode(picture)
    image = Image.open(io.BytesIO(data))
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - photograph).max() < 40
    assert (image.info.get("icc_profile") == srgb_profile) == kind.icc
    found = image.getexif()
    if kind.exif:
        for number in (0x829A, 0x8827, 0x9003, 0x927C):
            assert found.get_ifd(0x8769)[number] == exif.get_ifd(0x8769)[number]
        assert dict(found.get_ifd(0x8825)) == dict(exif.get_ifd(0x8825))
        assert (found[0x010F], found[0x8298]) == ("Maker", "The photographer")
        assert found.get(0x0112, 1) == 1
    stored = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    assert (stored == xmp) == kind.xmp
    again = read(data)
    assert (again.icc == srgb_profile, again.xmp is not None) == (kind.icc, kind.xmp)
    if form in ("png", "jpeg", "tiff", "bmp"):
        assert again.resolution == pytest.approx((12.0, 6.0), rel=1e-3)


@pytest.mark.parametrize("form", WRITABLE)
def test_stripping_leaves_the_profile_only(form, photograph, srgb_profile, exif, xmp):
    block = tidy_exif(exif.tobytes())
    picture = Picture(photograph, form, icc=srgb_profile, exif=block, xmp=xmp, resolution=(12.0, 6.0))
    data = encode(picture, strip_metadata=True)
    again = read(data)
    assert (again.exif, again.xmp, again.resolution) == (None, None, None)
    assert (again.icc == srgb_profile) == FORMATS[form].icc
    assert b"photographer" not in data


@pytest.mark.parametrize("form", WRITABLE)
def test_nothing_is_made_up(form, photograph):
    again = read(encode(Picture(photograph, form)))
    assert (again.icc, again.exif, again.xmp, again.resolution, again.notes) == (None, None, None, None, ())


def test_a_profile_stays_on_16_bits_and_gray(random_samples, srgb_profile):
    for form in ("png", "tiff"):
        picture = Picture(random_samples((5, 6, 3), "uint16"), form, icc=srgb_profile)
        again = read(encode(picture))
        assert again.icc == srgb_profile
        assert np.array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("quality", [10, 55, 90, 98])
def test_jpeg_keeps_its_quality_with_full_chroma(quality, photograph):
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG", quality=quality)
    data = encode(read(file.getvalue()))
    assert Image.open(io.BytesIO(data)).quantization == Image.open(file).quantization
    assert pyvips.Image.new_from_buffer(data, "").get("jpeg-chroma-subsample") == "4:4:4"
    halved = encode(read(file.getvalue()), subsampling="4:2:0")
    assert pyvips.Image.new_from_buffer(halved, "").get("jpeg-chroma-subsample") == "4:2:0"


def test_jpeg_quality_is_95_unless_told(photograph):
    assert read(encode(Picture(photograph, "png"), format="jpg")).jpeg_quality == 95
    assert read(encode(Picture(photograph, "jpeg", jpeg_quality=70), quality=33)).jpeg_quality == 33


@pytest.mark.parametrize("form", ["webp", "avif"])
def test_lossless_stays_lossless_unless_a_quality_is_asked_for(form, photograph, random_samples):
    alpha = random_samples(photograph.shape[:2]) // 255  # mostly clear: colours below must survive too
    data = encode(Picture(photograph, form, alpha=alpha, lossless=True))
    again = read(data)
    assert again.lossless
    assert np.array_equal(again.pixels, photograph)
    lossy = encode(again, quality=50)
    assert len(lossy) < len(data)
    assert not read(lossy).lossless
    assert not read(encode(Picture(photograph, form))).lossless


def test_avif_keeps_10_bits(random_samples):
    image = pyvips.Image.new_from_array(random_samples((16, 16, 3), "uint16"), interpretation="rgb16")
    first = read(image.heifsave_buffer(compression="av1", bitdepth=10, lossless=True))
    again = read(encode(first))
    assert again.bits == 10
    assert np.array_equal(first.pixels, again.pixels)


@pytest.mark.parametrize(
    ("form", "depth", "alpha", "message"),
    [
        (
            "jpeg",
            "uint8",
            True,
            "JPEG cannot hold transparency; choose PNG or TIFF or WebP or BMP or AVIF with --format",
        ),
        (
            "jpeg",
            "uint16",
            False,
            "JPEG cannot hold 16 bits a sample; choose PNG or TIFF or AVIF with --format",
        ),
        (
            "webp",
            "uint16",
            True,
            "WebP cannot hold 16 bits a sample; choose PNG or TIFF or AVIF with --format",
        ),
        ("png", "float32", False, "PNG cannot hold floats; choose TIFF with --format"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(form, depth, alpha, message, random_samples):
    mask = random_samples((4, 4), depth) if alpha else None
    with pytest.raises(PictureError) as caught:
        encode(Picture(random_samples((4, 4, 3), depth), form, alpha=mask))
    assert str(caught.value) == message


def test_constant_alpha_is_dropped_for_jpeg_only_if_opaque(photograph):
    opaque = np.full(photograph.shape[:2], 255, np.uint8)
    assert read(encode(Picture(photograph, "png", alpha=opaque), format="jpeg")).alpha is None
    assert read(encode(Picture(photograph, "png", alpha=opaque))).alpha is not None
    with pytest.raises(PictureError, match="cannot hold transparency"):
        encode(Picture(photograph, "png", alpha=opaque - 1), format="jpeg")


def test_settings_out_of_domain(photograph):
    picture = Picture(photograph, "jpeg")
    with pytest.raises(PictureError, match="quality 0 is not allowed; give a whole number from 1 to 100"):
        encode(picture, quality=0)
    with pytest.raises(PictureError, match="choose one of"):
        encode(picture, format="gif")
    with pytest.raises(PictureError, match="WebP cannot hold more than 16383 pixels a side; choose PNG"):
        encode(Picture(np.zeros((1, 16_384, 3), np.uint8), "webp"))


def test_heic_is_written_as_avif(photograph):
    assert read(encode(Picture(photograph, "heif"))).format == "avif"


def test_write_makes_folders_and_goes_by_suffix(tmp_path, photograph):
    path = tmp_path / "a" / "b" / "x.png"
    write(Picture(photograph, "tiff"), path)
    assert read(path).format == "png"
    write(Picture(photograph, "tiff"), tmp_path / "no_suffix")
    assert read(tmp_path / "no_suffix").format == "tiff"
    write(Picture(photograph, "tiff"), tmp_path / "x.dat", format="webp")
    assert read(tmp_path / "x.dat").format == "webp"
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["no_suffix", "x.dat", "x.png"]


def test_write_and_encode_give_the_same_bytes(tmp_path, photograph, exif):
    block = tidy_exif(exif.tobytes())
    for form in WRITABLE:
        picture = Picture(photograph, form, exif=block)
        write(picture, tmp_path / form)
        assert (tmp_path / form).read_bytes() == encode(picture), form


def test_an_existing_file_is_refused_unless_told(tmp_path, photograph):
    path = tmp_path / "x.png"
    path.write_bytes(b"precious")
    with pytest.raises(PictureError, match=r"x\.png: exists already; give another output, or --overwrite"):
        write(Picture(photograph, "png"), path)
    assert path.read_bytes() == b"precious"
    write(Picture(photograph, "png"), path, overwrite=True)
    assert np.array_equal(read(path).pixels, photograph)


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, photograph, monkeypatch, links):
    path = tmp_path / "x.png"
    save = writing._save

    def save_slowly(*arguments):
        save(*arguments)
        path.write_bytes(b"precious")

    monkeypatch.setattr(writing, "_save", save_slowly)
    if not links:
        monkeypatch.setattr(type(path), "hardlink_to", no_links)
    with pytest.raises(PictureError, match="exists already"):
        write(Picture(photograph, "png"), path)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["x.png"]


def no_links(self, target):
    raise OSError(95, "Operation not supported")


def test_file_systems_without_links(tmp_path, photograph, monkeypatch):
    path = tmp_path / "x.png"
    monkeypatch.setattr(type(path), "hardlink_to", no_links)
    write(Picture(photograph, "png"), path)
    assert np.array_equal(read(path).pixels, photograph)
    assert os.listdir(tmp_path) == ["x.png"]


@pytest.mark.parametrize("form", WRITABLE)
def test_a_full_disk_leaves_nothing_behind(tmp_path, random_samples, form):
    """A limit on file sizes stands for the full disk; Python ignores its signal, so writes fail."""
    picture = Picture(random_samples((200, 200, 3)), form)
    existing = tmp_path / "x.dat"
    existing.write_bytes(b"precious")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(
            PictureError, match=r"x\.dat: cannot be written \(.*\); check space and permissions"
        ) as caught:
            write(picture, existing, format=form, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert existing.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["x.dat"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing_behind(tmp_path, photograph, monkeypatch, error):
    def stop(*arguments):
        raise error

    monkeypatch.setattr(writing, "_save", stop)
    with pytest.raises(error):
        write(Picture(photograph, "png"), tmp_path / "x.png")
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path, photograph):
    (tmp_path / "file").touch()
    with pytest.raises(PictureError, match=r"cannot be written \(.*\); check space and permissions"):
        write(Picture(photograph, "png"), tmp_path / "file" / "x.png")


def test_written_files_have_ordinary_permissions(tmp_path, photograph):
    write(Picture(photograph, "png"), tmp_path / "x.png")
    (tmp_path / "ordinary").touch()
    assert (tmp_path / "x.png").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_threads_write_at_once(tmp_path, photograph):
    threads = [
        threading.Thread(target=write, args=(Picture(photograph, "png"), tmp_path / f"{i}.png")) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(read(tmp_path / f"{i}.png").pixels, photograph) for i in range(8))


def test_an_input_is_known_under_every_name(tmp_path):
    source = tmp_path / "x.png"
    source.touch()
    (tmp_path / "soft.png").symlink_to(source)
    (tmp_path / "hard.png").hardlink_to(source)
    for name in ("x.png", "soft.png", "hard.png", "../" + tmp_path.name + "/x.png"):
        with pytest.raises(PictureError, match="would be written over it; choose another output"):
            refuse_same_file(source, tmp_path / name)
    refuse_same_file(source, tmp_path / "other.png")
