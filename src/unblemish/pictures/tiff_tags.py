"""Tag directories of the TIFF structure, in which TIFF files and EXIF blocks keep their facts.

TIFF 6.0, section 2, and EXIF 2.3, section 4.6.2. BigTIFF, with 64-bit offsets, is understood too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

# Bytes of one value of each type, and of the unit whose bytes are swapped between byte orders.
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_UNITS = _SIZES | {5: 4, 10: 4}

PHOTOMETRIC, ORIENTATION, EXTRA_SAMPLES = 0x0106, 0x0112, 0x0152
_LONG, _LONG8 = 4, 16
_SUBDIRECTORIES = {0x8769, 0x8825, 0xA005}  # Exif, GPS, interoperability
_LARGEST_VALUE = 1 << 24
_MOST_TAGS = 4096


@dataclass(frozen=True, slots=True)
class Layout:
    """How numbers are laid out: `order` is "<" or ">", `big` means BigTIFF."""

    order: str
    big: bool

    @property
    def word(self) -> int:
        """Bytes of an offset."""
        return 8 if self.big else 4

    def unpack(self, code: str, data: bytes) -> int:
        """One number; ValueError where `data` is too short, as at the end of a damaged file."""
        try:
            return struct.unpack(self.order + code, data)[0]
        except struct.error as error:
            raise ValueError("ends early") from error


@dataclass(frozen=True, slots=True)
class Tag:
    """The value of a tag: its type, and its bytes in the directory's byte order, or a directory of its own.

    `at` is where the bytes stand in the file.
    """

    kind: int
    data: bytes
    at: int = 0
    directory: Directory | None = None

    def numbers(self, order: str) -> tuple[int, ...]:
        """The values of a tag of unsigned whole numbers."""
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(self.kind)
        if code is None:
            raise ValueError("holds no whole numbers")
        return struct.unpack(f"{order}{len(self.data) // _SIZES[self.kind]}{code}", self.data)

    def swapped(self) -> Tag:
        """The same value in the other byte order."""
        unit = _UNITS[self.kind]
        flipped = b"".join(self.data[i : i + unit][::-1] for i in range(0, len(self.data), unit))
        inner = None if self.directory is None else {n: tag.swapped() for n, tag in self.directory.items()}
        return Tag(self.kind, flipped, self.at, inner)


Directory = dict[int, Tag]


def read_header(file: BinaryIO) -> tuple[Layout, int]:
    """The layout of a TIFF structure that begins at position 0, and where its first directory stands.

    Raises:
        ValueError: It is no TIFF structure.
    """
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError("has no byte order mark")
    version = Layout(order, False).unpack("H", head[2:4])
    if version not in (42, 43):
        raise ValueError("is no TIFF structure")
    layout = Layout(order, version == 43)
    return layout, layout.unpack("Q", head[8:16]) if layout.big else layout.unpack("I", head[4:8])


def read_directory(file: BinaryIO, layout: Layout, offset: int) -> tuple[Directory, int]:
    """A directory with the Exif, GPS and interoperability directories below it.

    Tags of unknown type are left out, and so are directories below it that are damaged.

    Returns:
        The tags, and the position of the pointer to the next directory.

    Raises:
        ValueError: The directory is damaged.
    """
    return _read(file, layout, offset, depth=0)


def _read(file: BinaryIO, layout: Layout, offset: int, depth: int) -> tuple[Directory, int]:
    word, entry = layout.word, 20 if layout.big else 12
    file.seek(offset)
    count = layout.unpack("Q", file.read(8)) if layout.big else layout.unpack("H", file.read(2))
    if not 0 < count <= _MOST_TAGS:
        raise ValueError("has no sensible number of tags")
    table_at = file.tell()
    table = file.read(count * entry)
    if len(table) < count * entry:
        raise ValueError("ends early")
    code = "Q" if layout.big else "I"
    tags: Directory = {}
    for i in range(count):
        number, kind = struct.unpack_from(f"{layout.order}HH", table, i * entry)
        values = struct.unpack_from(f"{layout.order}{code}", table, i * entry + 4)[0]
        size = values * _SIZES.get(kind, 0)
        if not 0 < size <= _LARGEST_VALUE:
            continue
        at = table_at + i * entry + 4 + word
        if size > word:
            at = layout.unpack(code, table[i * entry + 4 + word : (i + 1) * entry])
        file.seek(at)
        tag = Tag(kind, file.read(size), at)
        if len(tag.data) < size:
            raise ValueError("points behind its end")
        if number not in _SUBDIRECTORIES:
            tags[number] = tag
        elif depth < 2:
            try:
                inner, _ = _read(file, layout, tag.numbers(layout.order)[0], depth + 1)
                tags[number] = Tag(kind, tag.data, at, inner)
            except ValueError:
                continue
    return tags, table_at + count * entry


def pack_directory(tags: Directory, layout: Layout, start: int) -> bytes:
    """A directory, with those below it, as bytes to be put at the even offset `start`; none follows it."""
    word, entry = layout.word, 20 if layout.big else 12
    code = "Q" if layout.big else "I"
    after = start + (8 if layout.big else 2) + len(tags) * entry + word
    table = struct.pack(layout.order + ("Q" if layout.big else "H"), len(tags))
    rest = b""
    for number, tag in sorted(tags.items()):
        kind, data = tag.kind, tag.data
        if tag.directory is not None:
            kind = _LONG8 if layout.big else _LONG
            data = struct.pack(layout.order + code, after + len(rest))
            rest += pack_directory(tag.directory, layout, after + len(rest))
        table += struct.pack(f"{layout.order}HH{code}", number, kind, len(data) // _SIZES[kind])
        if len(data) <= word:
            table += data.ljust(word, b"\0")
        else:
            table += struct.pack(layout.order + code, after + len(rest))
            rest += data + b"\0" * (len(data) % 2)
    return table + bytes(word) + rest
