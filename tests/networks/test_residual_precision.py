"""Weights in bfloat16 must not round the picture itself."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from unblemish.networks.base import Network
from unblemish.networks.catalogue import names

SKIPLESS = (
    *("edsr_light_x2", "edsr_light_x4", "swinir_light_x2", "swinir_light_x4", "swinir_x4"),
    *("multiscale", "multiscale_supernet", "owan", "replay_generator"),
)
"""These add nothing to the picture, as published."""


def skip(name: str, network: Network, x: Tensor) -> Tensor:
    """What the network returns where its residual is zero."""
    if name == "ffanet":  # normalised, as published; see its module
        mean, deviation = torch.tensor([[0.64, 0.6, 0.58], [0.14, 0.15, 0.152]])[..., None, None]  # (3, 1, 1) each
        return (x - mean) / deviation
    return x if network.scale == 1 else interpolate(x, scale_factor=network.scale, mode="bilinear")


with_skip = pytest.mark.parametrize("name", [name for name in names() if name not in SKIPLESS])


@with_skip
def test_what_needs_no_change_comes_back_exactly(name: str, lively: Callable[..., Network]) -> None:
    network = copy.deepcopy(lively(name)).bfloat16()
    for key, module in network.named_modules():
        if f".{key}".endswith((".conv_last", ".ending", ".post.1", ".last")):
            for parameter in module.parameters():
                nn.init.zeros_(parameter)
    x = torch.rand(1, 3, 17, 29, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        y = network(x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, skip(name, network, x), rtol=0, atol=1e-6 if name == "ffanet" else 0)


@pytest.mark.parametrize("name", [name for name in names() if name not in (*SKIPLESS, "golf")])
def test_the_residual_alone_is_rounded(name: str, lively: Callable[..., Network]) -> None:
    """The same residual is added to the same picture, once before and once after that is rounded.

    Golf's second network sees that sum, which differs.
    """
    network = copy.deepcopy(lively(name)).bfloat16()
    x = torch.rand(1, 3, 17, 29, generator=torch.Generator().manual_seed(0))
    rounded = x.bfloat16().float()
    with torch.inference_mode():
        difference = network(x) - network(rounded)
    torch.testing.assert_close(difference, skip(name, network, x) - skip(name, network, rounded), rtol=0, atol=2e-6)
