"""What a file's header tells that the decoder does not: animation, lossless coding, JPEG quality, colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from unblemish.pictures.jpeg_quality import estimate_quality, quantisation_tables
from unblemish.pictures.metadata import exif_of_tiff
from unblemish.pictures.tiff_tags import EXTRA_SAMPLES, PHOTOMETRIC, Tag, read_directory, read_header

_HEAD = 1 << 16  # bytes in which an AVIF file has its properties
_SRGB_PRIMARIES, _SRGB_TRANSFER = (1, 2), (1, 2, 6, 13)  # ITU-T H.273; 2 means "not stated"
_IDENTITY = 0
_PALETTE, _PREMULTIPLIED = 3, 1  # values of TIFF tags
_SEQUENCES = (b"avis", b"msf1", b"hevc", b"hevx")  # main brands of moving pictures


@dataclass(frozen=True, slots=True)
class Header:
    """Facts beside the pixels.

    Attributes:
        animated: Whether there is more than one frame.
        lossless: Whether a format that can be lossy was used without loss.
        jpeg_quality: Estimated quality of a JPEG file.
        exif: EXIF made of a TIFF file's tags; other formats' EXIF comes with the pixels.
        notes: Sentences for `Picture.notes`.
    """

    animated: bool = False
    lossless: bool = False
    jpeg_quality: int | None = None
    exif: bytes | None = None
    notes: tuple[str, ...] = ()


def read_facts(file: BinaryIO, key: str) -> Header:
    """The facts of a file in the format `key`; a damaged header gives fewer of them, never an error."""
    reader = {"png": _png, "jpeg": _jpeg, "webp": _webp, "tiff": _tiff, "avif": _avif, "heif": _avif}.get(key)
    return Header() if reader is None else reader(file)


def _jpeg(file: BinaryIO) -> Header:
    return Header(jpeg_quality=estimate_quality(quantisation_tables(file)))


def _png(file: BinaryIO) -> Header:
    """Walks the chunks before the pixels."""
    file.seek(8)
    animated, notes = False, ()
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        length, kind = int.from_bytes(head[:4]), head[4:]
        body = file.read(length) if kind in (b"acTL", b"cICP") else b""
        if kind == b"acTL":
            animated = int.from_bytes(body[:4]) > 1
        elif kind == b"cICP" and len(body) == 4:
            notes = _colour_note(body[0], body[1])
        file.seek(length - len(body) + 4, 1)
    return Header(animated=animated, notes=notes)


def _webp(file: BinaryIO) -> Header:
    """Walks the RIFF chunks; VP8L is the lossless coding."""
    file.seek(12)
    animated = lossless = False
    while len(head := file.read(8)) == 8:
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        animated |= kind == b"ANIM"
        lossless |= kind == b"VP8L"
        file.seek(length + length % 2, 1)
    return Header(animated=animated, lossless=lossless)


def _avif(file: BinaryIO) -> Header:
    """Looks at the colour box: encoders store RGB as it is (matrix "identity") for lossless pictures."""
    file.seek(0)
    head = file.read(_HEAD)
    animated = head[8:12] in _SEQUENCES
    at = head.find(b"colrnclx") + 8
    if at < 8 or len(head) < at + 6:
        return Header(animated=animated)
    primaries, transfer, matrix = (int.from_bytes(head[i : i + 2]) for i in (at, at + 2, at + 4))
    has_profile = b"colrprof" in head or b"colrrICC" in head
    notes = () if has_profile else _colour_note(primaries, transfer)
    return Header(animated=animated, lossless=matrix == _IDENTITY, notes=notes)


def _tiff(file: BinaryIO) -> Header:
    try:
        layout, offset = read_header(file)
        tags, _ = read_directory(file, layout, offset)
        extra, photometric = (_numbers(tags.get(n), layout.order) for n in (EXTRA_SAMPLES, PHOTOMETRIC))
        exif = exif_of_tiff(file)
    except ValueError:
        return Header(notes=("EXIF dropped: the tags of the file are damaged",))
    notes = ["palette expanded to RGB"] if _PALETTE in photometric else []
    if _PREMULTIPLIED in extra:
        notes.append("premultiplied alpha divided out; it is written unassociated")
    return Header(exif=exif, notes=tuple(notes))


def _numbers(tag: Tag | None, order: str) -> tuple[int, ...]:
    """The values of a tag, none where it is missing."""
    return () if tag is None else tag.numbers(order)


def _colour_note(primaries: int, transfer: int) -> tuple[str, ...]:
    """A note where code points (ITU-T H.273) instead of a profile say that the colours are not sRGB."""
    if primaries in _SRGB_PRIMARIES and transfer in _SRGB_TRANSFER:
        return ()
    return (f"colour code points {primaries}/{transfer} are not carried; embed an ICC profile to keep colours",)
