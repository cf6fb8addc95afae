from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network


class Doubled(Network):
    """Enlarges by repetition and remembers what it saw."""

    scale = 2
    size_multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3, 1, 1))
        self.frozen = nn.Parameter(torch.ones(5), requires_grad=False)

    def transform(self, x: Tensor) -> Tensor:
        self.seen = x
        return self.gain * x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@pytest.mark.parametrize(
    ("height", "width", "mode"),
    [
        (8, 4, None),
        (5, 7, "reflect"),
        (4, 5, "reflect"),
        (2, 8, "replicate"),
        (1, 1, "replicate"),
        (9, 3, "reflect"),
    ],
)
def test_forward_pads_and_crops(height: int, width: int, mode: str | None) -> None:
    network, x = Doubled(), torch.rand(2, 3, height, width)
    y = network(x)
    padding = (0, -width % 4, 0, -height % 4)
    assert torch.equal(network.seen, F.pad(x, padding, mode=mode) if mode else x)
    assert torch.equal(y, F.interpolate(x, scale_factor=2, mode="nearest"))


def test_properties() -> None:
    network = Doubled()
    assert network.parameter_count == 3 + 5  # the frozen ones belong to it, too
    assert not network.tiles_are_exact
    network.receptive_field = 0
    assert network.tiles_are_exact
