"""A trained NAFNet becomes a base network that can grow, and each growth starts where the newest task is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from unblemish.lifelong.errors import LifelongError
from unblemish.lifelong.growing import join_nafnet, start_growing
from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira
from unblemish.networks.nafnet import NAFNet
from unblemish.restoration.methods import build_task
from unblemish.training.fit import save_described
from unblemish.training.recipe import Recipe

WIDTHS = {"width": 16, "coarse_width": 32}


def nafnet(**options: int) -> NAFNet:
    """One that changes pictures by all of its parts."""
    torch.manual_seed(3)
    network = create("nafnet_compact", {"width": 16, **options})
    assert isinstance(network, NAFNet)
    for name, value in network.named_parameters():
        if name.endswith(("beta", "gamma")):
            nn.init.normal_(value)
    return network.eval()


def growable(**options: object) -> Lira:
    torch.manual_seed(4)
    network = create("lira_naf", {**WIDTHS, **options})
    assert isinstance(network, Lira)
    return network.eval()


def picture() -> Tensor:
    return torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_joined_from_a_nafnet_it_restores_alike() -> None:
    network, trained = growable(), nafnet()
    join_nafnet(network, trained)
    torch.testing.assert_close(network(picture()), trained(picture()))


@pytest.mark.parametrize(
    ("options", "trained"),
    [
        ({}, {"width": 32}),
        ({}, {"levels": 1}),
        ({}, {"middle": 2}),
        ({"experts": 2}, {}),
        ({"blocks": 4}, {}),
        ({"block": "sk"}, {}),
        ({"coarse_width": 48}, {}),
    ],
)
def test_other_networks_do_not_fit(options: dict[str, object], trained: dict[str, int]) -> None:
    with pytest.raises(LifelongError, match="lira_naf of one expert and two blocks goes on from nafnet_compact"):
        join_nafnet(growable(**options), nafnet(**trained))


@torch.inference_mode()
def test_a_growth_starts_where_the_newest_task_is() -> None:
    old = growable()
    join_nafnet(old, nafnet())
    grown = growable(grown=1)
    start_growing(grown, old)
    for task in (0, 1):
        torch.testing.assert_close(grown.on_task(task)(picture()), old(picture()))


def test_by_recipe(tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    """The stage that joins experts takes a NAFNet's weights."""
    weights = tmp_path / "nafnet.safetensors"
    plain = recipe(network={"name": "nafnet_compact", "options": {"width": 16}})
    save_described(nafnet(), weights, plain, 0)
    joining = recipe(
        network={"name": "lira_naf", "options": WIDTHS}, lifelong={"stage": "join", "experts": str(weights)}
    )
    started = build_task(joining).network.eval()
    with torch.inference_mode():
        torch.testing.assert_close(started(picture()), nafnet()(picture()))
