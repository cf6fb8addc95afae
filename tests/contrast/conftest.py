from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch


class TwoLayers(nn.Module):
    """Features small enough to be written out: the picture itself, and twice its mean over 2 x 2 pixels."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, 2 * nn.functional.avg_pool2d(x, 2)]


@pytest.fixture
def embedding() -> Embedding:
    return Embedding("two", TwoLayers(), {"same": 0.25, "mean": 0.75})


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
