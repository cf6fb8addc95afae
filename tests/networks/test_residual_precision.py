"""Weights in bfloat16 must not round the picture itself."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from unblemish.networks.base import Network
from unblemish.networks.catalogue import names


@pytest.mark.parametrize("name", names())
def test_what_needs_no_change_comes_back_exactly(name: str, lively: Callable[..., Network]) -> None:
    network = copy.deepcopy(lively(name)).bfloat16()
    last = next(m for key, m in network.named_modules() if key in ("conv_last", "ending"))
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 3, 17, 29, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        y = network(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, x if network.scale == 1 else interpolate(x, scale_factor=4, mode="bilinear"))


@pytest.mark.parametrize("name", names())
def test_the_residual_alone_is_rounded(name: str, lively: Callable[..., Network]) -> None:
    """The same residual is added to the same picture, once before and once after that is rounded."""
    network = copy.deepcopy(lively(name)).bfloat16()
    x = torch.rand(1, 3, 17, 29, generator=torch.Generator().manual_seed(0))
    rounded = x.bfloat16().float()
    with torch.inference_mode():
        difference = network(x) - network(rounded)
    wanted = x - rounded
    if network.scale != 1:
        wanted = interpolate(x, scale_factor=4, mode="bilinear") - interpolate(rounded, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(difference, wanted, rtol=0, atol=1e-6)
