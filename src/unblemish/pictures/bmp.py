"""BMP files, which libvips does not read: decoded by Pillow, written here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

_ROWS = 256
_BITFIELDS = 3
_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)  # red, green, blue, alpha
_SRGB = b"BGRs"


def bmp_size(head: bytes) -> tuple[int, int]:
    """Width and height from the first 26 bytes of a BMP file; (0, 0) where they are missing."""
    if len(head) < 26:
        return 0, 0
    if head[14] == 12:  # the header of OS/2
        return struct.unpack("<HH", head[18:22])
    width, height = struct.unpack("<ii", head[18:26])
    return abs(width), abs(height)


def read_bmp(file: BinaryIO, name: str) -> Picture:
    """Decodes a BMP file.

    Raises:
        PictureError: The file is damaged or of a kind that Pillow does not know.
    """
    # Taken directly: Image.open has a size limit of its own, which would come on top of the caller's.
    from PIL.BmpImagePlugin import BmpImageFile

    file.seek(0)
    try:
        image = BmpImageFile(file)
        mode = image.mode
        if mode not in ("1", "L", "P", "RGB", "RGBA"):
            raise PictureError(f"{name}: BMP of the kind {mode} is not supported; save it as PNG")
        samples = _samples(image, {"1": "L", "P": "RGB"}.get(mode, mode))
    except PictureError:
        raise
    # Pillow raises all sorts of errors on damaged files.
    except Exception as error:
        raise PictureError(f"{name}: is damaged or cut off ({error}); get a whole copy of the file") from error
    notes = ("palette expanded to RGB",) if mode == "P" else ("1 bit expanded to 8",) if mode == "1" else ()
    per_inch = image.info.get("dpi", (0, 0))
    return Picture(
        pixels=np.ascontiguousarray(samples[..., :3]),
        format="bmp",
        alpha=samples[..., 3].copy() if mode == "RGBA" else None,
        resolution=(per_inch[0] / 25.4, per_inch[1] / 25.4) if min(per_inch) > 0 else None,
        notes=notes,
    )


def _samples(image: Image, mode: str) -> NDArray[np.uint8]:
    """The samples of a Pillow image in another mode, `(H, W, 1, 3 or 4)`; strip by strip to save memory."""
    samples = np.empty((image.height, image.width, len(mode)), np.uint8)
    for top in range(0, image.height, _ROWS):
        strip = image.crop((0, top, image.width, min(top + _ROWS, image.height))).convert(mode)
        samples[top : top + _ROWS] = np.asarray(strip).reshape(strip.height, strip.width, -1)  # (rows, W, C)
    return samples


def write_bmp(picture: Picture, file: BinaryIO) -> None:
    """Writes an 8-bit picture: gray with a palette, RGB with 24 bits, or with alpha as 32 bits with masks."""
    height, width, channels = picture.pixels.shape
    if picture.alpha is not None:
        bits, palette = 32, b""
    elif channels == 1:
        bits, palette = 8, b"".join(bytes((i, i, i, 0)) for i in range(256))
    else:
        bits, palette = 24, b""
    stride = (width * bits // 8 + 3) // 4 * 4
    # The fifth version of the header is the first in which programs agree about alpha.
    header_size = 124 if bits == 32 else 40
    offset = 14 + header_size + len(palette)
    x, y = (round(1000 * value) for value in picture.resolution or (0.0, 0.0))
    size = offset + stride * height
    if size >= 1 << 32:
        raise PictureError("BMP cannot hold more than 4 GB; choose --format png or tiff")
    file.write(struct.pack("<2sIII", b"BM", size, 0, offset))
    compression = _BITFIELDS if bits == 32 else 0
    head = struct.pack("<IiiHHIIiiII", header_size, width, height, 1, bits, compression, stride * height, x, y, 0, 0)
    if bits == 32:
        head += struct.pack("<4I4s", *_MASKS, _SRGB)
    file.write(head.ljust(header_size, b"\0") + palette)
    for bottom in range(height, 0, -_ROWS):  # rows are stored from the bottom up
        rows = slice(max(bottom - _ROWS, 0), bottom)
        pixels = picture.pixels[rows]
        samples = pixels[::-1, :, ::-1]
        if picture.alpha is not None:
            colour = np.broadcast_to(samples, (*pixels.shape[:2], 3))
            samples = np.concatenate([colour, picture.alpha[rows][::-1, :, None]], axis=2)
        packed = np.zeros((len(pixels), stride), np.uint8)
        packed[:, : width * bits // 8] = samples.reshape(len(pixels), -1)  # (rows, bytes of a row)
        file.write(packed.tobytes())
