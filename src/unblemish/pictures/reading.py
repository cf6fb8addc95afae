"""Reading a picture file: what it holds, upright, in its own sample type and colour space."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from unblemish.pictures.bmp import bmp_size, read_bmp
from unblemish.pictures.errors import PictureError
from unblemish.pictures.formats import Format, recognise
from unblemish.pictures.headers import Header, read_facts
from unblemish.pictures.metadata import icc_channels, tidy_exif, tidy_xmp
from unblemish.pictures.picture import Picture

DEFAULT_PIXEL_CAP = 500_000_000
"""Pixels above which a file is taken for a decompression bomb."""

_INCH = 25.4
# What decoders report where a file states no resolution: 72 an inch, or 1 a millimetre.
_UNSTATED = (72.0, 25.4)


def read(source: Path | str | bytes, *, pixel_cap: int = DEFAULT_PIXEL_CAP, name: str | None = None) -> Picture:
    """Reads a picture of any supported format, which its content decides.

    Pixels stay in the colour space of the file, whose ICC profile is kept; CMYK and Lab are converted to
    sRGB. The picture is turned upright and the orientation in EXIF and XMP reset. `notes` tell what changed.

    Args:
        source: A file's path, or the bytes of one.
        pixel_cap: Pictures of more pixels are refused before they are decoded.
        name: How messages call the picture; the path where not given.

    Raises:
        PictureError: The file cannot be read, or is no picture this package can restore.
    """
    source = Path(source) if isinstance(source, str) else source
    label = name or (str(source) if isinstance(source, Path) else "the picture")
    with _opened(source, label) as file:
        head = file.read(512)
        if not head:
            raise PictureError(f"{label}: is empty (0 bytes); get a whole copy of the file")
        kind = recognise(head, label)
        if kind.key == "bmp":
            _check_size(*bmp_size(head), pixel_cap, label)
            return read_bmp(file, label)
        facts = read_facts(file, kind.key)
        if facts.animated:
            raise _animated(label)
        file.seek(0)
        return _decode(source, file, kind, facts, pixel_cap, label)


@contextmanager
def _opened(source: Path | bytes, label: str) -> Iterator[BinaryIO]:
    """The source as a seekable file."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        mode = source.stat().st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{label}: is a folder; name a picture file")
        if not stat.S_ISREG(mode):
            raise PictureError(f"{label}: is not a regular file; name a picture file, or - for standard input")
        with source.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise PictureError(f"{label}: there is no such file; check the name") from error
    except PermissionError as error:
        raise PictureError(f"{label}: reading it is not permitted; change its permissions") from error
    except OSError as error:
        raise PictureError(f"{label}: cannot be read ({error.strerror or error}); check the disk") from error


def _animated(label: str) -> PictureError:
    return PictureError(f"{label}: holds several frames or pages; save the one to restore as a file of its own")


def _check_size(width: int, height: int, pixel_cap: int, label: str) -> None:
    if width * height > pixel_cap:
        raise PictureError(
            f"{label}: {width} x {height} pixels are more than the limit of {pixel_cap}; "
            "if the file can be trusted, raise the limit with --max-pixels"
        )


def _decode(source: Path | bytes, file: BinaryIO, kind: Format, facts: Header, pixel_cap: int, label: str) -> Picture:
    """Decodes through libvips."""
    from unblemish.pictures import vips

    def load(**options: Any) -> Any:
        if isinstance(source, bytes):
            handle = vips.Source.new_from_memory(source)
        else:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            handle = vips.Source.new_from_descriptor(file.fileno())
        loader = "heif" if kind.key == "avif" else kind.key
        return getattr(vips.Image, f"{loader}load_source")(handle, access="sequential", fail_on="error", **options)

    try:
        image = load()
        _check_size(image.width, image.height, pixel_cap, label)
        if kind.key == "tiff":
            # A TIFF in one big strip passes libtiff's limits only without them; the size is checked by now.
            image = load(unlimited=True)
        fields = set(image.get_fields())
        if "n-pages" in fields and image.get("n-pages") > 1:
            raise _animated(label)
        notes = [*facts.notes, *_expansion_notes(image, fields)]
        ready, bits = _supported(image, kind, fields, notes, label)
        samples: NDArray[Any] = ready.numpy()
    except vips.Error as error:
        raise PictureError(
            f"{label}: is damaged, cut off or of an unsupported kind ({vips.reason(error)}); "
            "get a whole copy of the file, or save it as PNG"
        ) from error
    orientation = image.get("orientation") if "orientation" in fields else 1
    upright = _upright(samples.reshape(ready.height, ready.width, ready.bands), orientation)  # (H, W, bands)
    has_alpha = ready.bands in (2, 4)
    colour = upright[..., :-1] if has_alpha else upright
    x, y = image.xres, image.yres
    return Picture(
        pixels=np.ascontiguousarray(colour),
        format=kind.key,
        alpha=np.ascontiguousarray(upright[..., -1]) if has_alpha else None,
        jpeg_quality=facts.jpeg_quality,
        lossless=facts.lossless,
        bits=bits,
        resolution=_resolution((y, x) if orientation >= 5 else (x, y)),
        **_metadata(image, ready, fields, facts, notes),
        notes=tuple(notes),
    )


def _expansion_notes(image: Any, fields: set[str]) -> Iterator[str]:
    """Notes about samples that the decoder has widened."""
    bits = image.get("bits-per-sample") if "bits-per-sample" in fields else 8
    if "palette" in fields:
        yield "palette expanded to RGB"
    elif bits < 8:
        yield f"{bits} bit{'s' if bits > 1 else ''} expanded to 8"


def _supported(image: Any, kind: Format, fields: set[str], notes: list[str], label: str) -> tuple[Any, int | None]:
    """The image as gray or RGB (with alpha) of a supported sample type, and its bits if 10 or 12."""
    space = image.interpretation
    if space == "cmyk":
        has_profile = "icc-profile-data" in fields
        depth = 16 if image.format == "ushort" else 8
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
        notes.append("CMYK converted to sRGB" + ("" if has_profile else " with a generic profile, as it has none"))
    elif space in ("lab", "labq", "labs"):
        image = image.colourspace("rgb16" if image.format != "uchar" and space != "labq" else "srgb")
        notes.append("Lab converted to sRGB")
    if image.format not in ("uchar", "ushort", "float"):
        raise PictureError(
            f"{label}: its sample type ({image.format}) is not supported; save it with 8 or 16 bits or as float TIFF"
        )
    if image.bands > 4:
        raise PictureError(f"{label}: has {image.bands} channels; save it as gray or RGB, with or without alpha")
    bits = image.get("bits-per-sample") if "bits-per-sample" in fields else None
    if kind.key in ("avif", "heif") and image.format == "ushort" and bits in (10, 12):
        # The decoder shifts the values up; stretch them so that white is 65535.
        return ((image >> (16 - bits)) * (65535 / (2**bits - 1))).rint().cast("ushort"), bits
    return image, None


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turns `(H, W, C)` as the EXIF orientation (1..8) asks; a view."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)  # (W, H, C)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def _resolution(per_millimetre: tuple[float, float]) -> tuple[float, float] | None:
    stated = all(np.isfinite(value) and value > 0 for value in per_millimetre)
    unstated = all(min(abs(value * _INCH - guess) for guess in _UNSTATED) < 0.01 for value in per_millimetre)
    return per_millimetre if stated and not unstated else None


def _metadata(image: Any, ready: Any, fields: set[str], facts: Header, notes: list[str]) -> dict[str, bytes | None]:
    """ICC profile, EXIF and XMP; what is damaged is dropped with a note."""
    icc = ready.get("icc-profile-data") if "icc-profile-data" in ready.get_fields() else None
    colours = 1 if ready.bands <= 2 else 3
    if icc is not None and icc_channels(icc) != colours:
        notes.append("ICC profile dropped: it is damaged or not for this kind of picture")
        icc = None
    exif = facts.exif or (image.get("exif-data") if "exif-data" in fields else None)
    if exif is not None:
        try:
            exif = tidy_exif(exif)
        except ValueError as error:
            notes.append(f"EXIF dropped: it {error}")
            exif = None
    xmp = tidy_xmp(image.get("xmp-data")) if "xmp-data" in fields else None
    return {"icc": icc, "exif": exif, "xmp": xmp}
