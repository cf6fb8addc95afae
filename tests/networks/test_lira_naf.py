"""LIRA's network of NAFNet's layers: what it sees, and that it grows like the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira

TINY = {"width": 16, "coarse_width": 16}


def tiny(**options: Any) -> Lira:
    torch.manual_seed(0)
    network = create("lira_naf", {**TINY, **options})
    assert isinstance(network, Lira)
    for task in range(network.grown + 1):
        nn.init.normal_(network.branch(task).decoder.last.weight, std=0.02)  # it starts as the identity
    return network.eval()


def picture(*shape: int) -> Tensor:
    return torch.rand(*(shape or (2, 3, 24, 16)), generator=torch.Generator().manual_seed(1))


def test_size() -> None:
    """A compact NAFNet's 1,399,260 and what joins g, the decoder's way up and its block."""
    assert create("lira_naf").parameter_count == 1_451_580
    assert create("lira_naf", {"grown": 2}).parameter_count == 3 * 1_451_580


def test_starts_at_the_identity() -> None:
    x = picture(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(create("lira_naf")(x), x)


@pytest.mark.parametrize("options", [{"gates": "all"}, {"attention": True}, {"bi_sgu": True}, {"gates": "coarse"}])
def test_what_may_look_at_the_whole_picture_has_no_finite_reach(options: dict[str, Any]) -> None:
    assert create("lira_naf").receptive_field == 69
    assert tiny(**options).receptive_field is None
    tiny(**options)(picture()).square().mean().backward()


def test_several_levels_and_experts() -> None:
    network = tiny(blocks=4, experts=2)
    assert network.receptive_field == 136
    loss = network(picture()).square().mean()
    loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_growing_leaves_older_tasks_as_they_are() -> None:
    old, x = tiny(), picture()
    grown = tiny(grown=2)
    grown.load_state_dict({**grown.state_dict(), **old.state_dict()})
    with torch.inference_mode():
        torch.testing.assert_close(grown.on_task(0)(x), old(x))
        newest = grown(x)
        torch.testing.assert_close(newest, grown.on_task(2)(x))
        assert not torch.allclose(newest, grown.on_task(1)(x))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (9, 17)])
def test_any_size(size: tuple[int, int]) -> None:
    x = picture(1, 3, *size)
    with torch.inference_mode():
        assert tiny()(x).shape == x.shape
