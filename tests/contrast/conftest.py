from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from unblemish.training.task import Batch

Distance = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture
def distance() -> Distance:
    """The weighed distance of `TwoLayers`, written out."""
    pool = nn.AvgPool2d(2)
    return lambda one, other: 0.25 * (one - other).abs().mean() + 0.75 * 2 * (pool(one) - pool(other)).abs().mean()


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(*(torch.rand(2, 3, 8, 12, generator=generator) for _ in range(2)))


@pytest.fixture
def output() -> Tensor:
    return torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(1)).requires_grad_()
