from __future__ import annotations

import pytest
import torch
from torch import nn

from unblemish.networks.base import Network


class Convolutions(Network):
    """Three random convolutions over the folded picture: reach and stride are known exactly."""

    def __init__(self, fold: int = 1, scale: int = 1, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.size_multiple, self.scale, self.receptive_field = fold, scale, 4 * fold - 1
        self.body = nn.Sequential(
            nn.PixelUnshuffle(fold),
            nn.Conv2d(3 * fold**2, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 3 * (fold * scale) ** 2, 3, padding=1),
            nn.PixelShuffle(fold * scale),
        )

    def transform(self, x):
        return self.body(x.to(self.body[1].weight.dtype)).tanh() / 4 + x.repeat_interleave(
            self.scale, 2
        ).repeat_interleave(self.scale, 3)


class Identity(Network):
    """Gives back what it gets."""

    receptive_field = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def transform(self, x):
        return x * self.weight


class Overflow(Identity):
    """Not finite in bfloat16, or never finite."""

    def __init__(self, ever: bool = False) -> None:
        super().__init__()
        self.ever = ever

    def transform(self, x):
        return x / 0 if self.ever or self.weight.dtype == torch.bfloat16 else x


@pytest.fixture
def convolutions():
    """The class of a small network with finite reach."""
    return Convolutions


@pytest.fixture
def identity():
    """The class of a network that changes nothing."""
    return Identity


@pytest.fixture
def overflow():
    """The class of a network with overflowing values."""
    return Overflow
