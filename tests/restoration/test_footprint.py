from __future__ import annotations

import pytest
import torch

from unblemish.restoration.errors import RestorationError
from unblemish.restoration.footprint import bytes_per_pixel, choose_tile

CPU = torch.device("cpu")


def test_footprint_counts_what_is_alive_together(convolutions):
    narrow = bytes_per_pixel(convolutions(width=8), torch.float32)
    wide = bytes_per_pixel(convolutions(width=64), torch.float32)
    # Input and output of the middle convolution are alive together, 2 x 64 channels of 4 bytes.
    assert 2 * 64 * 4 < wide < 3 * 64 * 4 + 200
    assert narrow < wide / 3
    assert bytes_per_pixel(convolutions(width=64), torch.bfloat16) < 0.7 * wide


def test_the_network_is_left_as_it_was(convolutions):
    network = convolutions()
    bytes_per_pixel(network, torch.float32)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_the_tile_fits_the_budget(convolutions):
    network = convolutions()
    for budget in (20_000_000, 80_000_000, 300_000_000):
        side = choose_tile(network, budget, 600, 10_000, CPU, overlap=32, smallest=64)
        assert 600 * side**2 + 12 * 10_000 * side <= budget
        larger = side + 8
        assert larger > 704 or 600 * larger**2 + 12 * 10_000 * larger > budget


def test_wide_overlaps_get_larger_tiles(convolutions):
    assert choose_tile(convolutions(), 10**11, 600, 10_000, CPU, overlap=32, smallest=64) == 704
    assert choose_tile(convolutions(), 10**11, 600, 10_000, CPU, overlap=200, smallest=300) == 800


def test_too_small_a_budget_says_how_much_is_needed(convolutions):
    with pytest.raises(RestorationError, match="budget of 1 MB is too small for this picture: give --memory 11MB"):
        choose_tile(convolutions(), 10**6, 600, 10_000, CPU, overlap=32, smallest=64)
    assert choose_tile(convolutions(), 11 * 10**6, 600, 10_000, CPU, overlap=32, smallest=64) >= 64
