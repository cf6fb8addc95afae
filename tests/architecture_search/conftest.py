from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.recipe import Recipe


@pytest.fixture
def supernet() -> MultiScaleSupernet:
    """Three columns, all weights of a size that signals pass."""
    torch.manual_seed(0)
    network = MultiScaleSupernet("2/1", in_place=False, width=2, gray=False, residual=True, fold=1)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network


@pytest.fixture
def search(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """A factory of tiny recipes that search; overrides are as for `recipe`, and `search` adds to its part."""

    def make(search: dict[str, Any] | None = None, **overrides: Any) -> Recipe:
        content: dict[str, Any] = {
            "network": {"name": "multiscale_supernet", "options": {"columns": "2/1", "width": 2}},
            "search": {"warmup": 2, "rate": 0.05, **(search or {})},
            "task__loss": "mse",
            "optimiser": {"kind": "sgd", "rate": 0.01, "weight_decay": 1e-3, "clip": 5.0},
            "ema": 0.0,
        }
        return recipe(**{**content, **overrides})

    return make
