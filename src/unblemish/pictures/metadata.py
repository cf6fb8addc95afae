"""What travels beside the pixels: EXIF, XMP and ICC, made to fit the upright, restored picture."""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

from unblemish.pictures.tiff_tags import (
    ORIENTATION,
    Directory,
    Layout,
    Tag,
    pack_directory,
    read_directory,
    read_header,
)

# Tags of a TIFF file that tell about the photograph, not about the layout of the file: description, make,
# model, software, date, artist, host, rating, copyright, Exif and GPS directories, titles by Windows.
_DESCRIPTIVE = {
    *(0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298, 0x8769, 0x8825),
    *(0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
}
_LARGEST_EXIF = 65_000  # what fits one JPEG segment, and what libexif reads


def tidy_exif(block: bytes) -> bytes:
    r"""An EXIF block that fits an upright picture: orientation 1, no preview of the damaged picture.

    Args:
        block: With or without the "Exif\0\0" prefix.

    Returns:
        The block without the prefix; all else stands where it stood.

    Raises:
        ValueError: The block is damaged or larger than 64 KB; the message continues "the EXIF ...".
    """
    block = block.removeprefix(b"Exif\0\0")
    if len(block) > _LARGEST_EXIF:
        raise ValueError("is larger than 64 KB")
    layout, offset = read_header(io.BytesIO(block))
    tags, next_at = read_directory(io.BytesIO(block), layout, offset)
    tidy = bytearray(block)
    orientation = tags.get(ORIENTATION)
    if orientation is not None and orientation.kind == 3:
        struct.pack_into(f"{layout.order}H", tidy, orientation.at, 1)
    # The second directory holds nothing but the preview.
    tidy[next_at : next_at + layout.word] = bytes(layout.word)
    return bytes(tidy[: len(block)])


def exif_orientation(block: bytes) -> int:
    """The orientation (1..8) an EXIF block states; 1 where it states none or is damaged."""
    file = io.BytesIO(block.removeprefix(b"Exif\0\0"))
    try:
        layout, offset = read_header(file)
        tags, _ = read_directory(file, layout, offset)
        value = tags[ORIENTATION].numbers(layout.order)[0]
    except (ValueError, KeyError):
        return 1
    return value if 1 <= value <= 8 else 1


def tidy_xmp(packet: bytes) -> bytes:
    """An XMP packet whose tiff:Orientation, if it states one, is 1."""
    return re.sub(rb"(tiff:Orientation(?:\s*=\s*[\"']|\s*>\s*))[2-8]", rb"\g<1>1", packet)


def icc_channels(profile: bytes) -> int | None:
    """Colour channels that an ICC profile is for (1, 3 or 4); None where it is damaged or for others."""
    if len(profile) < 128 or profile[36:40] != b"acsp":
        return None
    return {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}.get(profile[16:20])


def exif_of_tiff(file: BinaryIO) -> bytes | None:
    """An EXIF block made of what a TIFF file tells about the photograph, or None where it tells nothing.

    Raises:
        ValueError: The file's first directory is damaged.
    """
    layout, offset = read_header(file)
    tags, _ = read_directory(file, layout, offset)
    kept = {number: tag for number, tag in tags.items() if number in _DESCRIPTIVE}
    if not kept:
        return None
    classic = Layout(layout.order, big=False)
    head = (b"II*\0" if layout.order == "<" else b"MM\0*") + struct.pack(f"{layout.order}I", 8)
    return head + pack_directory(kept, classic, len(head))


def put_exif_into_tiff(file: BinaryIO, exif: bytes) -> None:
    """Adds what an EXIF block tells about the photograph to the first directory of a TIFF file.

    The directory is written anew at the end of the file, the header pointed to it; pixels stay in place.

    Args:
        file: A TIFF file of one page, open for reading and writing.
        exif: As `tidy_exif` returns it.

    Raises:
        ValueError: One of the two is damaged.
    """
    block = io.BytesIO(exif)
    source, offset = read_header(block)
    described, _ = read_directory(block, source, offset)
    layout, offset = read_header(file)
    tags, _ = read_directory(file, layout, offset)
    added = {number: tag for number, tag in described.items() if number in _DESCRIPTIVE}
    merged = tags | (added if source.order == layout.order else _swapped(added))
    end = file.seek(0, io.SEEK_END)
    start = end + end % 2
    file.write(bytes(start - end) + pack_directory(merged, layout, start))
    file.seek(8 if layout.big else 4)
    file.write(struct.pack(layout.order + ("Q" if layout.big else "I"), start))


def _swapped(tags: Directory) -> dict[int, Tag]:
    """The directory in the other byte order."""
    return {number: tag.swapped() for number, tag in tags.items()}
