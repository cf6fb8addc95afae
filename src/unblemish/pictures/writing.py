"""Writing a picture file: what went in comes out, all of it or nothing."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from unblemish.pictures.bmp import write_bmp
from unblemish.pictures.errors import PictureError
from unblemish.pictures.formats import FORMATS, Format, format_named, format_of_name, formats_that_hold
from unblemish.pictures.metadata import put_exif_into_tiff
from unblemish.pictures.picture import Picture, sample_range

Subsampling = Literal["4:4:4", "4:2:0"]

_FALLBACK_QUALITY = {"jpeg": 95, "webp": 90, "avif": 85}
_SPACES = {"uint8": ("b-w", "srgb"), "uint16": ("grey16", "rgb16"), "float32": ("b-w", "scrgb")}
_LARGEST_CLASSIC_TIFF = 3 << 30  # bytes before compression, alpha aside; offsets end at 4 GB
_UNSTATED = 72 / 25.4  # pixels per millimetre: the customary 72 an inch


def encode(
    picture: Picture,
    *,
    format: str | None = None,
    quality: int | None = None,
    strip_metadata: bool = False,
    subsampling: Subsampling = "4:4:4",
) -> bytes:
    """The bytes of a picture file.

    All that surrounds the pixels is written too, as far as `formats.FORMATS` says that the format carries
    it; a JPEG file leaves out XMP of more than 64 KB.

    Args:
        picture: What to write.
        format: Key or suffix of a format; the picture's own where not given.
        quality: 1..100 for JPEG, WebP and AVIF, ignored by the others. Where not given, JPEG takes the
            quality the picture was read with (else 95); WebP and AVIF are lossless if the picture was, else
            90 and 85.
        strip_metadata: Leaves out EXIF, XMP and resolution; the ICC profile stays, as colours depend on it.
        subsampling: Chroma of JPEG and AVIF.

    Raises:
        PictureError: The format cannot hold the picture, or a setting is out of its domain.
    """
    kind = _fitting(picture, format_named(format or picture.format), quality)
    buffer = io.BytesIO()
    with _explained(kind.title):
        _save(picture, kind, quality, strip_metadata, subsampling, buffer)
    return buffer.getvalue()


def write(
    picture: Picture,
    path: Path | str,
    *,
    format: str | None = None,
    quality: int | None = None,
    strip_metadata: bool = False,
    subsampling: Subsampling = "4:4:4",
    overwrite: bool = False,
) -> None:
    """Writes a picture file in one step: it appears whole, or not at all.

    Missing folders are made. The other arguments are those of `encode`; where no format is given, the suffix
    of `path` decides, and the picture's own format where the suffix is of no format.

    Raises:
        PictureError: As for `encode`; or the file exists and `overwrite` is not set; or it cannot be written.
    """
    path = Path(path)
    named = format_of_name(path)
    kind = _fitting(picture, format_named(format or (named.key if named else picture.format)), quality)
    with _appearing(path, overwrite) as file:
        _save(picture, kind, quality, strip_metadata, subsampling, file)


def write_file(content: bytes, path: Path, *, overwrite: bool = False) -> None:
    """Writes the very bytes of a picture file, as `write` writes a picture.

    Raises:
        PictureError: The file exists and `overwrite` is not set; or it cannot be written.
    """
    with _appearing(path, overwrite) as file:
        file.write(content)


def refuse_same_file(source: Path, target: Path) -> None:
    """Makes sure that writing `target` leaves `source` as it is, by whatever names, links or mounts they go.

    Raises:
        PictureError: They are one file.
    """
    try:
        same = source.samefile(target)
    except OSError:
        same = source.resolve() == target.resolve()
    if same:
        raise PictureError(f"{source}: its result would be written over it; choose another output")


@contextmanager
def _appearing(path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """A file that gets its name once it is complete."""
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    with _explained(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Hidden and without a picture's suffix, so that no other run takes it for a picture.
        part = path.parent / f".unblemish-{secrets.token_hex(6)}.part"
        try:
            with part.open("x+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _place(part, path, overwrite)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()


def _exists(path: Path) -> PictureError:
    return PictureError(f"{path}: exists already; give another output, or --overwrite to replace it")


def _place(part: Path, path: Path, overwrite: bool) -> None:
    """Gives the finished file its name; without `overwrite`, never in the place of another file."""
    if overwrite:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:  # a file system without hard links: reserve the name first
        try:
            path.open("xb").close()
        except FileExistsError as error:
            raise _exists(path) from error
        part.replace(path)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turns what goes wrong while writing into a message for the user."""
    from unblemish.pictures import vips

    try:
        yield
    except vips.Error as error:
        raise PictureError(f"{name}: cannot be written ({vips.reason(error)}); check space and permissions") from error
    except OSError as error:
        raise PictureError(
            f"{name}: cannot be written ({error.strerror or error}); check space and permissions"
        ) from error


def _fitting(picture: Picture, kind: Format, quality: int | None) -> Format:
    """The format to encode in, once it is sure that it holds the picture.

    Raises:
        PictureError: It does not.
    """
    kind = FORMATS[kind.written_as]
    if quality is not None and not 1 <= quality <= 100:
        raise PictureError(f"quality {quality} is not allowed; give a whole number from 1 to 100")
    depth = picture.pixels.dtype.name
    instead = formats_that_hold(depth, picture.alpha is not None)
    if depth not in kind.depths:
        what = "floats" if depth == "float32" else f"{picture.pixels.dtype.itemsize * 8} bits a sample"
        raise PictureError(f"{kind.title} cannot hold {what}; choose {instead} with --format")
    if not kind.alpha and not _opaque(picture):
        raise PictureError(f"{kind.title} cannot hold transparency; choose {instead} with --format")
    if max(picture.width, picture.height) > kind.longest_side:
        raise PictureError(
            f"{kind.title} cannot hold more than {kind.longest_side} pixels a side; choose PNG or TIFF with --format"
        )
    return kind


def _opaque(picture: Picture) -> bool:
    """Whether nothing is lost without the alpha channel: there is none, or it is full everywhere."""
    alpha = picture.alpha
    return alpha is None or bool((alpha == sample_range(alpha.dtype)).all())


def _save(
    picture: Picture,
    kind: Format,
    quality: int | None,
    strip: bool,
    subsampling: Subsampling,
    file: BinaryIO,
) -> None:
    """Encodes to an open file; row by row where the format allows it, so that no copy is made."""
    if not kind.alpha:
        picture = replace(picture, alpha=None)
    if strip:
        picture = replace(picture, exif=None, xmp=None, resolution=None)
    if kind.key == "bmp":
        write_bmp(picture, file)
        return
    from unblemish.pictures import vips

    in_memory = isinstance(file, io.BytesIO)
    target = vips.Target.new_to_memory() if in_memory else vips.Target.new_to_descriptor(file.fileno())
    saver = {"avif": "heif"}.get(kind.key, kind.key)
    image = _image(picture, kind)
    kept = [name for name, there in _metadata(picture, kind).items() if there]
    options = _options(picture, kind, quality, subsampling)
    getattr(image, f"{saver}save_target")(target, keep="|".join(kept) or "none", **options)
    if in_memory:
        file.write(target.get("blob"))
    if kind.key == "tiff" and picture.exif is not None:
        put_exif_into_tiff(file, picture.exif)


def _metadata(picture: Picture, kind: Format) -> dict[str, bool]:
    """What libvips shall write, by its names."""
    # libvips keeps the resolution of a JPEG in EXIF only.
    wants_exif = picture.exif is not None or (kind.key == "jpeg" and picture.resolution is not None)
    return {
        "icc": picture.icc is not None,
        "exif": wants_exif and kind.key != "tiff",
        "xmp": picture.xmp is not None,
    }


def _image(picture: Picture, kind: Format) -> Any:
    """The picture as a libvips image that shares its memory."""
    from unblemish.pictures import vips

    image: Any = vips.Image.new_from_array(np.ascontiguousarray(picture.pixels))
    if picture.alpha is not None:
        image = image.bandjoin(vips.Image.new_from_array(np.ascontiguousarray(picture.alpha)))
    if kind.key == "avif" and picture.pixels.dtype == np.uint16:
        bits = picture.bits or 12
        # The encoder cuts the low bits off; round instead.
        image = (image * ((2**bits - 1) / 65535)).rint().cast("ushort") << (16 - bits)
    x, y = picture.resolution or (_UNSTATED, _UNSTATED)
    space = _SPACES[picture.pixels.dtype.name][0 if picture.is_gray else 1]
    image = image.copy(interpretation=space, xres=x, yres=y)
    for field, block in (
        ("icc-profile-data", picture.icc),
        ("exif-data", picture.exif),
        ("xmp-data", picture.xmp),
    ):
        if block is not None:
            image.set_type(vips.BLOB, field, block)
    return image


def _options(picture: Picture, kind: Format, quality: int | None, subsampling: Subsampling) -> dict[str, Any]:
    """The encoder's settings."""
    chosen = quality or (picture.jpeg_quality if kind.key == "jpeg" else None) or _FALLBACK_QUALITY.get(kind.key)
    lossless = picture.lossless and quality is None
    chroma = "off" if subsampling == "4:4:4" else "on"
    if kind.key == "jpeg":
        # Not optimize_coding: it holds all coefficients in memory, more than a gigabyte for 100 megapixels.
        return {"Q": chosen, "subsample_mode": chroma}
    if kind.key == "png":
        return {"compression": 6, "filter": "all"}
    if kind.key == "tiff":
        is_float = picture.pixels.dtype == np.float32
        return {
            "compression": "deflate",
            "predictor": "float" if is_float else "horizontal",
            "resunit": "inch",
            "bigtiff": picture.pixels.nbytes > _LARGEST_CLASSIC_TIFF,
        }
    if kind.key == "webp":
        return {"Q": chosen, "lossless": lossless, "exact": True, "alpha_q": 100}
    bits = 8 if picture.pixels.dtype == np.uint8 else picture.bits or 12
    return {
        "Q": chosen,
        "lossless": lossless,
        "compression": "av1",
        "bitdepth": bits,
        "subsample_mode": chroma,
    }
