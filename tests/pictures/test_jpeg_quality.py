from __future__ import annotations

import io

import numpy as np
import pytest
import pyvips
from PIL import Image

from unblemish.pictures.jpeg_quality import estimate_quality, quantisation_tables


def estimate(data: bytes) -> int | None:
    return estimate_quality(quantisation_tables(io.BytesIO(data)))


@pytest.mark.parametrize("quality", range(1, 101))
def test_every_quality_of_two_encoders_is_found(quality, photograph):
    for image in (Image.fromarray(photograph), Image.fromarray(photograph[..., 0])):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        assert estimate(buffer.getvalue()) == quality
    colour = pyvips.Image.new_from_array(photograph, interpretation="srgb")
    assert estimate(colour.jpegsave_buffer(Q=quality)) == quality


def test_tables_agree_with_pillow(photograph):
    buffer = io.BytesIO()
    Image.fromarray(photograph).save(buffer, "JPEG", quality=37, progressive=True)
    ours = quantisation_tables(io.BytesIO(buffer.getvalue()))
    theirs = Image.open(buffer).quantization
    # Pillow gives the tables in natural order.
    assert {number: sorted(table) for number, table in theirs.items()} == {
        number: sorted(table.tolist()) for number, table in ours.items()
    }


def test_foreign_tables_get_the_most_similar_quality(photograph):
    buffer = io.BytesIO()
    # About half the standard divisors, which is quality 75, a little out of shape.
    Image.fromarray(photograph).save(buffer, "JPEG", quality=75)
    tables = {n: t + (np.arange(64) % 3 == 0) for n, t in quantisation_tables(buffer).items()}
    assert estimate_quality(tables) in range(72, 77)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xdb\x00\x43\x00\x01", b"\xff\xd8\xff\xff\xff"])
def test_no_tables_give_no_quality(data):
    assert estimate(data) is None
