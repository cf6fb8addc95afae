from __future__ import annotations

import io
import struct

import pytest

from unblemish.pictures.tiff_tags import Layout, Tag, pack_directory, read_directory, read_header

SHORT, LONG, RATIONAL, TEXT = 3, 4, 5, 2


def header(layout: Layout) -> bytes:
    mark = b"II" if layout.order == "<" else b"MM"
    if layout.big:
        return mark + struct.pack(layout.order + "HHHQ", 43, 8, 0, 16)
    return mark + struct.pack(layout.order + "HI", 42, 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_packed_directories_are_read_again(order, big):
    layout = Layout(order, big)
    inner = {0x829A: Tag(RATIONAL, struct.pack(order + "II", 1, 250))}
    tags = {
        0x0112: Tag(SHORT, struct.pack(order + "H", 6)),
        0x010F: Tag(TEXT, b"Some odd maker\0"),
        0x8769: Tag(LONG, b"", directory=inner),
    }
    start = header(layout)
    file = io.BytesIO(start + pack_directory(tags, layout, len(start)))
    assert read_header(file) == (layout, len(start))
    found, _ = read_directory(file, layout, len(start))
    assert found[0x0112].numbers(order) == (6,)
    assert found[0x010F].data == b"Some odd maker\0"
    assert found[0x8769].directory is not None
    assert found[0x8769].directory[0x829A].data == inner[0x829A].data


def test_swapping_turns_units_and_not_texts():
    assert Tag(SHORT, b"\1\2\3\4").swapped().data == b"\2\1\4\3"
    assert Tag(RATIONAL, bytes(range(8))).swapped().data == b"\3\2\1\0\7\6\5\4"
    assert Tag(TEXT, b"abc\0").swapped().data == b"abc\0"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        b"II*\0\x08\0",
        b"XX*\0\x08\0\0\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\0\0",
        b"II*\0\x08\0\0\0\5\0\1\2",
        b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x10F, 2, 100, 1 << 20) + bytes(4),
    ],
)
def test_damaged_structures_raise_value_errors(data):
    file = io.BytesIO(data)
    with pytest.raises(ValueError, match=r"has no|is no|ends early|points behind"):
        read_directory(file, *read_header(file))


def test_a_directory_that_contains_itself_ends():
    loop = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x8769, LONG, 1, 8) + bytes(4)
    file = io.BytesIO(loop)
    tags, _ = read_directory(file, *read_header(file))
    assert set(tags) == {0x8769}
