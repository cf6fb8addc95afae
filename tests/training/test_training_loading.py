from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.pictures.errors import PictureError
from unblemish.pictures.pairs import Pair
from unblemish.pictures.picture import Picture
from unblemish.training import loading
from unblemish.training.loading import load, load_rgb, path_of, shrink


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.full((2, 3, 1), 7, np.uint8), 7),
        (np.full((2, 3, 3), 7, np.uint8), 7),
        (np.full((2, 3, 3), 7 * 257 + 100, np.uint16), 7),
        (np.full((2, 3, 1), 1.5, np.float32), 255),
    ],
)
def test_every_sample_type_becomes_8_bit_rgb(
    monkeypatch: pytest.MonkeyPatch, samples: np.ndarray, expected: int
) -> None:
    monkeypatch.setattr(loading, "read", lambda path: Picture(samples, "tiff"))
    rgb = load_rgb(Path("x"))
    assert rgb.shape == (2, 3, 3)
    assert rgb.dtype == np.uint8
    assert np.all(rgb == expected)


def test_shrink_is_antialiased() -> None:
    stripes = np.zeros((8, 32, 3), np.uint8)
    stripes[:, ::2] = 200
    small = shrink(stripes, 0.5)
    assert small.shape == (4, 16, 3)
    assert np.abs(small[:, 3:-3].astype(int) - 100).max() <= 12


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    draw = np.random.default_rng(0)
    for name in ("blurred.png", "sharp.png"):
        Image.fromarray(draw.integers(256, size=(9, 7, 3), dtype=np.uint8)).save(tmp_path / name)
    return Pair("a", tmp_path / "blurred.png", tmp_path / "sharp.png")


def test_a_pair_is_one_array_with_the_clean_picture_first(pair: Pair) -> None:
    assert pair.damaged
    assert pair.clean
    both = load(pair)
    assert both.shape == (9, 7, 6)
    assert np.array_equal(both[..., :3], load_rgb(pair.clean))
    assert np.array_equal(both[..., 3:], load_rgb(pair.damaged))
    assert np.array_equal(load(pair.clean), load_rgb(pair.clean))
    gray = load(pair, gray=True)
    assert np.array_equal(gray[..., 3:], load_rgb(pair.damaged, gray=True))
    assert path_of(pair) == path_of(pair.clean) == pair.clean


def test_both_pictures_of_a_pair_are_shrunk_alike(pair: Pair) -> None:
    assert pair.damaged
    small = shrink(load(pair), 0.5)
    assert np.array_equal(small[..., 3:], shrink(load_rgb(pair.damaged), 0.5))


def test_what_is_wrong_with_a_pair_is_said(pair: Pair) -> None:
    assert pair.damaged
    with pytest.raises(PictureError, match=r"sharp\.png: has no damaged picture of the same name; add it"):
        load(Pair("a", None, pair.clean))
    with pytest.raises(PictureError, match=r"blurred\.png: has no clean original of the same name; add it"):
        load(Pair("a", pair.damaged, None))
    Image.new("RGB", (8, 9)).save(pair.damaged)
    with pytest.raises(PictureError, match=r"blurred\.png: a pair must have one size, not 8 x 9 and 7 x 9"):
        load(pair)
