"""The quality a JPEG file was saved with, from its quantisation tables.

The tables are compared with those of the JPEG standard (ITU-T T.81, Annex K, tables K.1 and K.2), scaled as
the Independent JPEG Group's library does for quality 1 to 100; the nearest ones give the estimate. Other
encoders (cameras, Photoshop) have other tables: for them it is the quality of the most similar ones.
"""

from __future__ import annotations

from functools import cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

# Both in the zigzag order in which a file stores them.
# fmt: off
_LUMA = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)
# fmt: on
_CHROMA = (17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, *((99,) * 50))

_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_START_OF_SCAN, _TABLES = 0xDA, 0xDB


def quantisation_tables(file: BinaryIO) -> dict[int, NDArray[np.int64]]:
    """The quantisation tables before the first scan.

    Args:
        file: A JPEG file, seekable; read from its start.

    Returns:
        For each table number, (64,) divisors in zigzag order. Empty where the file has none.
    """
    tables: dict[int, NDArray[np.int64]] = {}
    file.seek(2)
    while (mark := file.read(2)) and len(mark) == 2 and mark[0] == 0xFF:
        if mark[1] == 0xFF:  # a fill byte before a marker
            file.seek(-1, 1)
            continue
        if mark[1] in _STANDALONE:
            continue
        length = int.from_bytes(file.read(2))
        if mark[1] == _START_OF_SCAN or length < 2:
            break
        if mark[1] == _TABLES:
            tables |= _parse(file.read(length - 2))
        else:
            file.seek(length - 2, 1)
    return tables


def _parse(segment: bytes) -> dict[int, NDArray[np.int64]]:
    """The tables of one DQT segment."""
    tables: dict[int, NDArray[np.int64]] = {}
    at = 0
    while at < len(segment):
        wide, number = segment[at] >> 4, segment[at] & 15
        size = 128 if wide else 64
        values = segment[at + 1 : at + 1 + size]
        if len(values) < size:
            break
        tables[number] = np.frombuffer(values, dtype=">u2" if wide else "u1").astype(np.int64)
        at += 1 + size
    return tables


@cache
def _scaled(base: tuple[int, ...]) -> NDArray[np.int64]:
    """(100, 64): row q - 1 holds `base` as libjpeg scales it for quality q."""
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((np.array(base) * percent[:, None] + 50) // 100, 1, 255)


def estimate_quality(tables: dict[int, NDArray[np.int64]]) -> int | None:
    """The quality (1..100) whose standard tables are nearest in the sum of absolute differences.

    Args:
        tables: As `quantisation_tables` gives them; table 0 is luma, table 1 chroma where there is one.
    """
    if 0 not in tables:
        return None
    distance = np.abs(_scaled(_LUMA) - tables[0]).sum(1)
    if 1 in tables:
        # Some encoders use the luma table for chroma too.
        distance += np.minimum(np.abs(_scaled(_CHROMA) - tables[1]).sum(1), np.abs(_scaled(_LUMA) - tables[1]).sum(1))
    return int(distance.argmin()) + 1
