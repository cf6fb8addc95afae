from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from unblemish.pictures.metadata import exif_orientation
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read

SPACES = {("uint16", 1): "grey16", ("uint16", 3): "rgb16", ("float32", 3): "scrgb", ("uint8", 3): "srgb"}


def by_pillow(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png_file(colour: int, depth: int, rows: list[bytes], width: int, **chunks: bytes) -> bytes:
    """A PNG file put together by hand."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    extra = b"".join(chunk(name.encode(), body) for name, body in chunks.items())
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_8_bits_as_pillow_wrote_them(form, mode, random_samples):
    if form == "BMP" and mode in ("LA", "RGBA"):
        pytest.skip("Pillow marks no alpha in BMP files")
    image = Image.fromarray(random_samples((7, 5, 4))).convert(mode)
    picture = read(by_pillow(image, form, **({"lossless": True, "exact": True} if form == "WEBP" else {})))
    expected = np.asarray(image).reshape(7, 5, -1)
    assert picture.pixels.dtype == np.uint8
    assert picture.format == form.lower()
    colours = 3 if mode.startswith("RGB") else 1
    assert np.array_equal(picture.pixels, np.broadcast_to(expected[..., :colours], picture.pixels.shape))
    assert (picture.alpha is not None) == mode.endswith("A")
    assert picture.alpha is None or np.array_equal(picture.alpha, expected[..., -1])
    assert picture.pixels.flags.c_contiguous
    assert picture.notes == ()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_as_opencv_wrote_them(suffix, channels, random_samples, tmp_path):
    # All values below 256: the depth must come from the header.
    samples = random_samples((6, 9, channels), "uint16") % 256
    ordered = samples if channels == 1 else samples[..., [2, 1, 0, 3][:channels]]
    path = tmp_path / f"x{suffix}"
    assert cv2.imwrite(str(path), ordered)
    picture = read(path)
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels, samples[..., :3])
    assert picture.alpha is None if channels < 4 else np.array_equal(picture.alpha, samples[..., 3])


@pytest.mark.parametrize("channels", [1, 3])
def test_float_tiff_as_opencv_wrote_it(channels, random_samples, tmp_path):
    samples = random_samples((6, 9, channels), "float32") * 3 - 1
    path = tmp_path / "x.tiff"
    assert cv2.imwrite(str(path), samples[..., ::-1])
    picture = read(path)
    assert picture.pixels.dtype == np.float32
    assert np.array_equal(picture.pixels, samples)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions(compression, photograph):
    data = by_pillow(Image.fromarray(photograph), "TIFF", compression=compression)
    assert np.array_equal(read(data).pixels, photograph)


def test_jpeg_decodes_as_pillow_does(photograph):
    for mode in ("RGB", "L"):
        image = Image.fromarray(photograph).convert(mode)
        data = by_pillow(image, "JPEG", quality=91, subsampling=0)
        picture = read(data)
        expected = np.asarray(Image.open(io.BytesIO(data))).reshape(*photograph.shape[:2], -1)
        assert np.abs(picture.pixels.astype(int) - expected).max() <= 1
        assert picture.jpeg_quality == 91


def test_png_palette_is_expanded_with_its_transparency():
    palette = bytes((10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3))
    plain = read(png_file(3, 2, [b"\x1b"] * 2, 4, PLTE=palette))
    assert plain.pixels[0].tolist() == [[10, 20, 30], [40, 50, 60], [70, 80, 90], [1, 2, 3]]
    assert plain.alpha is None
    assert plain.notes == ("palette expanded to RGB",)
    clear = read(png_file(3, 2, [b"\x1b"] * 2, 4, PLTE=palette, tRNS=b"\0\x80"))
    assert clear.alpha is not None
    assert clear.alpha[1].tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize(
    ("depth", "rows", "values"), [(1, [b"\xa0"], [255, 0, 255, 0]), (2, [b"\x1b"], [0, 85, 170, 255])]
)
def test_few_bits_are_expanded(depth, rows, values):
    picture = read(png_file(0, depth, rows, 4))
    assert picture.pixels[0, :, 0].tolist() == values
    assert f"{depth} bit" in picture.notes[0]
    assert "expanded to 8" in picture.notes[0]


def test_bilevel_and_palette_tiff(photograph):
    for mode in ("1", "P"):
        image = Image.fromarray(photograph).convert(mode)
        picture = read(by_pillow(image, "TIFF"))
        expected = np.asarray(image.convert("L" if mode == "1" else "RGB"))
        assert np.array_equal(picture.pixels.squeeze(), expected)
        assert "expanded" in picture.notes[0]


def test_transparent_colour_of_png_becomes_alpha():
    gray = read(png_file(0, 8, [bytes((10, 20, 30))], 3, tRNS=b"\0\x14"))
    assert gray.is_gray
    assert gray.alpha is not None
    assert gray.alpha[0].tolist() == [255, 0, 255]
    row = struct.pack(">6H", 1, 2, 3, 1000, 20_000, 65_535)
    colour = read(png_file(2, 16, [row], 2, tRNS=struct.pack(">3H", 1, 2, 3)))
    assert colour.pixels[0].tolist() == [[1, 2, 3], [1000, 20_000, 65_535]]
    assert colour.alpha is not None
    assert colour.alpha[0].tolist() == [0, 65_535]


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(form, photograph):
    ink = Image.fromarray(photograph).convert("CMYK")
    # CMYK of Pillow's conversion has no black ink: mid tones differ between profiles, paper white does not.
    ink.paste((0, 0, 0, 0), (0, 0, 8, 8))
    picture = read(by_pillow(ink, form, **({"quality": 95} if form == "JPEG" else {})))
    assert picture.pixels.shape == photograph.shape
    assert picture.pixels[:4, :4].min() >= 250
    correlation = np.corrcoef(picture.pixels.ravel(), np.asarray(ink.convert("RGB")).ravel())[0, 1]
    assert correlation > 0.9
    assert picture.notes == ("CMYK converted to sRGB with a generic profile, as it has none",)
    assert picture.icc is not None
    assert picture.icc[16:20] == b"RGB "


def test_cmyk_goes_through_its_own_profile(photograph):
    image = pyvips.Image.new_from_array(photograph, interpretation="srgb")
    ink = image.icc_transform("cmyk", input_profile="srgb")
    data = ink.jpegsave_buffer(Q=100, subsample_mode="off")
    profile = ink.get("icc-profile-data")
    picture = read(data)
    assert picture.notes == ("CMYK converted to sRGB",)
    raw = Image.open(io.BytesIO(data))
    assert raw.mode == "CMYK"
    expected = ImageCms.profileToProfile(
        raw,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    difference = np.abs(picture.pixels.astype(int) - np.asarray(expected))
    assert difference.mean() < 1.0


@pytest.mark.parametrize("space", ["lab", "labs"])
def test_lab_tiff_becomes_16_bit_srgb(space):
    colour = np.full((4, 4, 3), (200, 30, 60), np.uint8)
    lab = pyvips.Image.new_from_array(colour, interpretation="srgb").colourspace(space)
    picture = read(lab.tiffsave_buffer())
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels / 257 - colour).max() < 1
    assert picture.notes == ("Lab converted to sRGB",)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_premultiplied_tiff_alpha_is_divided_out(depth):
    top = 1 if depth == "float32" else np.iinfo(depth).max
    straight = np.array([[[0.5, 0.25, 0.75, 0.5], [1, 0, 0.2, 1]]]) * top
    image = pyvips.Image.new_from_array(straight.astype(depth), interpretation=SPACES[depth, 3])
    picture = read(image.tiffsave_buffer(premultiply=True))
    assert np.allclose(picture.pixels, straight[..., :3], rtol=0, atol=1e-7 if depth == "float32" else 2.5)
    assert picture.alpha is not None
    assert "premultiplied" in picture.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_orientation_is_baked_and_reset(orientation, form, photograph):
    tag = Image.Exif()
    tag[0x0112], tag[0x010F] = orientation, "Maker"
    # Full chroma where there is loss: decoders differ in how they enlarge halved chroma.
    lossy = {"quality": 100, "subsampling": "4:4:4"}
    options = {"WEBP": {"lossless": True}, "JPEG": lossy, "AVIF": lossy}.get(form, {})
    data = by_pillow(Image.fromarray(photograph), form, exif=tag, dpi=(300, 150), **options)
    picture = read(data)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels.astype(int) - expected).max() <= (2 if form in ("JPEG", "AVIF") else 0)
    assert picture.exif is not None
    assert exif_orientation(picture.exif) == 1
    if form not in ("WEBP", "AVIF"):
        across, down = (150, 300) if orientation >= 5 else (300, 150)
        assert picture.resolution == pytest.approx((across / 25.4, down / 25.4), rel=1e-4)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_metadata_is_kept(form, photograph, srgb_profile, exif, xmp):
    image = Image.fromarray(photograph)
    if form == "TIFF":
        tags = ImageFileDirectory_v2()
        for number in (0x0112, 0x010F, 0x8298):
            tags[number] = exif[number]
        for number in (0x8769, 0x8825):
            tags[number] = dict(exif.get_ifd(number))
        tags[700] = xmp
        data = by_pillow(image, form, icc_profile=srgb_profile, tiffinfo=tags)
    elif form == "PNG":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        data = by_pillow(image, form, exif=exif, icc_profile=srgb_profile, pnginfo=text)
    else:
        data = by_pillow(image, form, exif=exif, icc_profile=srgb_profile, xmp=xmp)
    picture = read(data)
    assert picture.icc == srgb_profile
    assert picture.xmp is not None
    assert b'tiff:Orientation="1"' in picture.xmp
    assert len(picture.xmp) == len(xmp)
    found = Image.Exif()
    found.load(picture.exif)
    assert dict(found.get_ifd(0x8769)) == dict(exif.get_ifd(0x8769))
    assert dict(found.get_ifd(0x8825)) == dict(exif.get_ifd(0x8825))
    assert found[0x8298] == "The photographer"


def test_damaged_exif_is_dropped_with_a_note(photograph):
    data = by_pillow(Image.fromarray(photograph), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    picture = read(data)
    assert picture.exif is None
    assert picture.notes[0].startswith("EXIF dropped: it ")


def test_a_profile_for_other_colours_is_dropped_with_a_note(photograph, srgb_profile):
    data = by_pillow(Image.fromarray(photograph[..., 0]), "TIFF", icc_profile=srgb_profile)
    picture = read(data)
    assert picture.icc is None
    assert "ICC profile dropped" in "".join(picture.notes)


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_of_10_and_12_bits_spans_the_full_range(bits):
    ramp = np.linspace(0, 65_535, 64 * 48).reshape(48, 64)
    samples = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2).astype(np.uint16)
    image = pyvips.Image.new_from_array(samples, interpretation="rgb16")
    picture = read(image.heifsave_buffer(compression="av1", bitdepth=bits, lossless=True))
    assert (picture.bits, picture.pixels.dtype) == (bits, np.uint16)
    assert (picture.pixels.min(), picture.pixels.max()) == (0, 65_535)
    assert np.abs(picture.pixels.astype(int) - samples).max() <= 65_535 / (2**bits - 1)


def test_path_and_bytes_give_the_same(tmp_path, photograph):
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "AVIF", "BMP"):
        data = by_pillow(Image.fromarray(photograph), form)
        # Neither the suffix nor odd characters in the name matter.
        path = tmp_path / f"ü [x=1] {form}.dat"
        path.write_bytes(data)
        from_path, from_bytes = read(path), read(data)
        assert isinstance(from_path, Picture)
        assert from_path.pixels.flags.writeable  # torch complains about others
        assert np.array_equal(from_path.pixels, from_bytes.pixels)
        assert from_path.format == from_bytes.format == form.lower()


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_unicode(tmp_path, photograph):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    path.write_bytes(by_pillow(Image.fromarray(photograph), "PNG"))
    assert np.array_equal(read(path).pixels, photograph)


def test_a_file_that_changes_is_read_anew(tmp_path, photograph):
    path = tmp_path / "x.png"
    for content in (photograph, 255 - photograph):
        path.write_bytes(by_pillow(Image.fromarray(content), "PNG"))
        assert np.array_equal(read(path).pixels, content)


def test_a_tiff_of_one_large_strip(random_samples):
    # libtiff's default limits refuse strips of more than 50 MB.
    pixels = np.tile(random_samples((100, 500, 3)), (50, 8, 1))
    data = by_pillow(Image.fromarray(pixels), "TIFF", compression="tiff_adobe_deflate", tiffinfo={278: 5000})
    assert len(read(data).pixels) == 5000
