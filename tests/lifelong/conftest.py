from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira
from unblemish.networks.replay_generator import ReplayGenerator
from unblemish.training.fit import save_described
from unblemish.training.recipe import Recipe

TINY = {"width": 16, "coarse_width": 16, "experts": 2, "blocks": 2}


def drawn(seed: int = 0, **options: Any) -> Lira:
    """A tiny network that changes pictures: the last convolutions are not left at zero."""
    torch.manual_seed(seed)
    network = create("lira_compact", {**TINY, **options})
    assert isinstance(network, Lira)
    for task in range(network.grown + 1):
        nn.init.normal_(network.branch(task).decoder.last.weight, std=0.05)
    return network


@pytest.fixture
def tiny() -> Callable[..., Lira]:
    return drawn


@pytest.fixture
def lira_recipe(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """A factory of tiny recipes for LIRA's networks; see `recipe`."""

    def make(**overrides: Any) -> Recipe:
        options = {**TINY, **overrides.pop("options", {})}
        return recipe(
            **{"network": {"name": "lira_compact", "options": options}, "degradations__clean": 0, **overrides}
        )

    return make


@pytest.fixture
def old(tmp_path: Path, lira_recipe: Callable[..., Recipe]) -> Path:
    """Weights of a tiny base network."""
    save_described(drawn(), tmp_path / "old.safetensors", lira_recipe(), 0)
    return tmp_path / "old.safetensors"


@pytest.fixture
def generator(tmp_path: Path, recipe: Callable[..., Recipe]) -> Path:
    """Weights of a tiny generator."""
    torch.manual_seed(0)
    options = {"width": 4, "blocks": 1}
    network = create("replay_generator", options)
    assert isinstance(network, ReplayGenerator)
    described = recipe(network={"name": "replay_generator", "options": options})
    save_described(network, tmp_path / "generator.safetensors", described, 0)
    return tmp_path / "generator.safetensors"
