from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.restoration import tile_cost
from unblemish.restoration.tile_cost import TileTime, tile_difference, tile_speeds, tile_time
from unblemish.restoration.treatment import Treatment


def treatment(network):
    return Treatment(network, device="cpu")


def noise(side):
    return np.random.default_rng(0).random((side, side, 3), dtype=np.float32)


def test_with_the_reach_as_margin_tiles_are_the_whole(convolutions):
    found = tile_difference(treatment(convolutions(fold=2)), noise(190), torch.float32)
    assert found.tiles > 4
    assert (found.exact, found.margin, found.precision) == (True, 7, "float32")
    assert found.difference < 1e-5


def test_with_a_smaller_margin_they_are_not(convolutions):
    blind = treatment(convolutions(fold=2))
    blind.margin = 0
    assert tile_difference(blind, noise(190), torch.float32).difference > 1e-3


def test_speed_by_side(convolutions):
    rows = tile_speeds(treatment(convolutions(fold=2)), [20, 63, 96], repeats=1)
    assert [row.side for row in rows] == [62, 96]  # 30 pixels are shared; sides are even
    for row in rows:
        assert row.useful == pytest.approx(row.megapixels_per_second * (1 - 30 / row.side) ** 2)


def test_time_against_one_pass(convolutions):
    one = tile_time(treatment(convolutions()), 100, repeats=1)
    assert (one.tile, one.tiles, one.extra_pixels) == (100, 1, 0)
    small = Treatment(convolutions(), device="cpu", memory=1_000_000)
    many = tile_time(small, 200, repeats=1)
    assert many.tiles > 1
    assert many.extra_pixels > 0.1


def test_whole_and_tiled_take_turns(convolutions, monkeypatch):
    monkeypatch.setattr(tile_cost, "interleaved", lambda functions, repeats: [2.0, 2.5])
    assert tile_time(treatment(convolutions()), 64, repeats=1).cost == pytest.approx(0.25)


def test_cost():
    assert TileTime((9, 9), 3, 9, 0.5, seconds_whole=4, seconds_tiled=5).cost == 0.25
