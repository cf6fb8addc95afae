"""The Golf Optimizer's networks against Table 1 and Table 3."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError
from unblemish.networks.golf import ORDERS, GolfOptimizer, ResidualCnn, golf, golf_corrector, golf_first
from unblemish.networks.iterative import relative_update

BASIC_LAYERS = (nn.Conv2d, nn.InstanceNorm2d, nn.ReLU)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("network", "rows", "total", "megabytes"),
    [
        (golf_corrector, (2_352, 38_016, 38_016, 38_016, 3_347, 441), 120_188, 0.46),
        (golf_first, (4_704, 151_808, 151_808, 151_808, 5_779, 441), 466_348, 1.78),
    ],
)
def test_table_1_and_3(network: type[ResidualCnn], rows: tuple[int, ...], total: int, megabytes: float, order: str):
    built = network(order=order)
    assert (count(built.conv_first), *map(count, built.stages), count(built.conv_last)) == rows
    assert built.parameter_count == total
    assert round(total * 4 / 2**20, 2) == megabytes


@pytest.mark.parametrize("order", ORDERS)
def test_fifty_basic_layers(order: str) -> None:
    kept = [key for key, m in golf_first(order=order).named_modules() if isinstance(m, BASIC_LAYERS)]
    assert len([key for key in kept if ".shortcut." not in key]) == 50


def test_both_networks_together() -> None:
    assert golf().parameter_count == 466_348 + 120_188
    assert round(golf().parameter_count * 4 / 2**20, 2) == 2.24


def test_the_orders_differ() -> None:
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    results = []
    for order in ORDERS:
        torch.manual_seed(0)
        results.append(golf_first(width=4, order=order)(x))
    assert not torch.allclose(*results)


def small(iterations: int = 3) -> GolfOptimizer:
    torch.manual_seed(0)
    return golf(width=4, corrector_width=4, iterations=iterations).eval()


def test_iterates_as_often_as_asked() -> None:
    network, x = small(), torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.first(x)
        for iterations in range(4):
            network.iterations = iterations
            torch.testing.assert_close(network(x), expected)
            expected = network.corrector(expected)


def test_stops_once_it_rests() -> None:
    network, x = small(iterations=50), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    calls: list[int] = []
    network.corrector.conv_first.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        network.tolerance = 1e9
        network(x)
    assert len(calls) == 1
    assert "tolerance=1000000000.0" in network.extra_repr()


def test_relative_update_is_of_each_picture() -> None:
    before = torch.ones(2, 3, 4, 4)
    after = before.clone()
    after[1] += 0.5
    torch.testing.assert_close(relative_update(before, after), torch.tensor([0.0, 0.5]))


def test_without_iterations_it_sees_as_far_as_f() -> None:
    network = golf(first="nafnet_compact", width=8, corrector_width=4, iterations=0)
    assert network.receptive_field == network.first.receptive_field == 67
    network.iterations = 1
    assert network.receptive_field is None


def test_another_network_may_take_the_first_step() -> None:
    network = golf(first="nafnet_compact", width=8, corrector_width=4, corrector_fold=2)
    assert network.size_multiple == network.first.size_multiple == 8
    assert network(torch.rand(1, 3, 13, 9)).shape == (1, 3, 13, 9)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"first": "dncnn"}, "give golf_first or nafnet_compact"),
        ({"order": "middle"}, "pre, post"),
        ({"iterations": -1}, "whole number from 0"),
    ],
)
def test_wrong_options(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(NetworkError, match=complaint):
        create("golf", options)
