from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.training.averaging import WeightAverage


class OneNumber(Network):
    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(2, dtype=torch.float64))
        self.register_buffer("count", torch.tensor(0))

    def transform(self, x: Tensor) -> Tensor:
        return x * self.value.sum()


def test_follows_the_closed_form() -> None:
    network = OneNumber()
    average = WeightAverage(network, decay=0.5)
    path = [3.0, -1.0, 4.0, 1.5, 9.0, 2.0, 6.0, -5.0, 3.0, 5.0, 8.0]
    expected = 0.0
    for step, value in enumerate(path, start=1):
        network.value.data.fill_(value)
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        assert average.network.value.tolist() == pytest.approx([expected] * 2, rel=1e-12)
    assert (1 + 8) / (10 + 8) == 0.5  # so both branches of the minimum were met


def test_decay_zero_is_the_network_itself() -> None:
    network = OneNumber()
    average = WeightAverage(network, decay=0.0)
    network.value.data.fill_(0.7)
    average.update(network, 1)
    assert torch.equal(average.network.value, network.value)


def test_whole_numbers_are_copied_and_nothing_is_shared() -> None:
    network = OneNumber()
    average = WeightAverage(network, decay=0.9)
    network.count.fill_(7)
    assert int(average.network.count) == 0
    average.update(network, 1)
    assert int(average.network.count) == 7
    assert not average.network.value.requires_grad
    assert not average.network.training
    assert network.training
