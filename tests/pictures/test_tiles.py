from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unblemish.pictures.errors import PictureError
from unblemish.pictures.tiles import TileTooLargeError, Tiling, plan_tiles, run_tiles

tilings = st.builds(
    Tiling,
    tile=st.integers(1, 300),
    margin=st.integers(0, 20),
    blend=st.integers(1, 12),
    multiple=st.sampled_from([1, 2, 8, 12]),
    scale=st.sampled_from([1, 2, 4]),
)


def mean3(tile):
    """3x3 mean with edges replicated: receptive field 1."""
    padded = np.pad(tile, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows, columns = tile.shape[:2]
    return sum(padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)) / np.float32(9)


def noise(height, width, channels=3, dtype=np.float32):
    values = np.random.default_rng(0).random((height, width, channels), dtype=np.float32)
    return values if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)


@given(length=st.integers(1, 900), tiling=tilings, data=st.data())
def test_an_axis_is_covered_and_its_windows_sum_to_one(length, tiling, data):
    first = data.draw(st.integers(0, max(0, length - tiling.blend)))  # a blend always follows finished rows
    rows = plan_tiles(length, 1, tiling, first).rows
    scale = tiling.scale
    total = np.zeros(length * scale)
    if first:  # what finished rows left in the blend that starts there
        fade = rows.window(0, scale)[: tiling.blend * scale]
        total[first * scale : first * scale + fade.size] += 1 - fade
    for index, (start, stop) in enumerate(rows.spans):
        begin, end = rows.kept(index)
        assert begin >= start + tiling.margin or start == 0
        assert end <= stop - tiling.margin or stop == length
        assert start % tiling.multiple == 0
        total[begin * scale : end * scale] += rows.window(index, scale)
    np.testing.assert_allclose(total[first * scale :], 1, atol=1e-6)
    assert rows.cuts[0] == first
    assert rows.cuts[-1] == length


@given(length=st.integers(1, 900), tiling=tilings)
def test_tiles_are_even_and_within_the_limit(length, tiling):
    spans = plan_tiles(length, 1, tiling).rows.spans
    sides = [stop - start for start, stop in spans]
    assert len(set(sides[:-1])) <= 1
    assert sides[0] - tiling.multiple < sides[-1] <= sides[0]
    assert max(sides) <= max(tiling.tile, tiling.smallest)
    assert all(side % tiling.multiple == 0 for side in sides[:-1])


def test_a_picture_within_the_tile_is_one_tile():
    plan = plan_tiles(200, 256, Tiling(tile=256, multiple=8))
    assert plan.count == 1
    assert plan.area == 200 * 256


def test_overlaps_cost_little():
    plan = plan_tiles(2000, 2000, Tiling(tile=1024))
    assert plan.count == 4
    assert plan.area / 2000**2 < 1.06


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (97, 203), (128, 64), (61, 300)])
@pytest.mark.parametrize("multiple", [1, 8])
def test_tiles_give_the_whole_result(size, multiple):
    pixels = noise(*size)
    tiled, _ = run_tiles(pixels, Tiling(tile=48, margin=1, blend=4, multiple=multiple), mean3)
    np.testing.assert_allclose(tiled, mean3(pixels), atol=1e-6)


def test_too_small_a_margin_shows():
    pixels = noise(97, 203)
    tiled, _ = run_tiles(pixels, Tiling(tile=48, margin=0, blend=1), mean3)
    assert np.abs(tiled - mean3(pixels)).max() > 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_samples_survive_unchanged(dtype):
    pixels = noise(70, 131, 1, dtype)
    tiled, _ = run_tiles(pixels, Tiling(tile=40, margin=2, blend=3), lambda tile: tile)
    assert tiled.dtype == dtype
    np.testing.assert_allclose(tiled, pixels, rtol=0, atol=0 if dtype != np.float32 else 1e-6)


def test_a_larger_result():
    pixels = noise(50, 83)
    tiled, _ = run_tiles(
        pixels,
        Tiling(tile=32, margin=1, blend=3, scale=4),
        lambda tile: tile.repeat(4, axis=0).repeat(4, axis=1),
    )
    np.testing.assert_allclose(tiled, pixels.repeat(4, axis=0).repeat(4, axis=1), atol=1e-6)


def test_out_of_memory_halves_the_tile_and_keeps_finished_rows():
    pixels = noise(400, 150)
    tiling = Tiling(tile=120, margin=1, blend=4)
    first_row = len(plan_tiles(400, 150, tiling).columns.spans)
    sizes: list[int] = []

    def memory_shrinks(tile):
        if len(sizes) >= first_row and max(tile.shape) > 64:
            raise TileTooLargeError
        sizes.append(max(tile.shape))
        return mean3(tile)

    tiled, fitted = run_tiles(pixels, tiling, memory_shrinks)
    np.testing.assert_allclose(tiled, mean3(pixels), atol=1e-6)
    assert fitted.tile == 60
    done = plan_tiles(400, 150, tiling).rows.cuts[1]
    assert len(sizes) == first_row + plan_tiles(400, 150, fitted, done).count
    assert max(sizes[first_row:]) <= 60


def test_no_memory_at_all_is_a_clear_error():
    def never(tile):
        raise TileTooLargeError

    with pytest.raises(PictureError, match="not enough memory even for tiles of 84 pixels"):
        run_tiles(noise(300, 300), Tiling(tile=200, margin=16, blend=16), never)


def test_progress_ends_at_one():
    shares: list[float] = []
    run_tiles(noise(100, 100), Tiling(tile=40, margin=1, blend=2), mean3, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert len(shares) == plan_tiles(100, 100, Tiling(tile=40, margin=1, blend=2)).count


def test_a_tiling_refuses_nonsense():
    with pytest.raises(ValueError, match="blend"):
        Tiling(tile=64, blend=0)
