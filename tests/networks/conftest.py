from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn

from unblemish.networks.base import Network
from unblemish.networks.catalogue import create

FAINT = 2e-3
"""Root mean square of a convolution's weights below which no signal comes through several of them."""


@pytest.fixture(scope="session")
def lively() -> Callable[..., Network]:
    """A network by name and options with every parameter drawn: zeros would hide whole branches.

    Convolutions that start near zero, since a normalisation makes up for it in training, are drawn larger: in
    evaluation mode a fresh normalisation makes up for nothing.

    The networks are shared between tests: copy one before changing it.
    """

    @cache
    def build(name: str, **options: object) -> Network:
        torch.manual_seed(0)
        network = create(name, options).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.1 / max(1, parameter[0].numel()) ** 0.5)
            for module in network.modules():
                if isinstance(module, nn.Conv2d) and module.weight.square().mean().sqrt() < FAINT:
                    nn.init.kaiming_normal_(module.weight, nonlinearity="linear").mul_(0.4)
        return network

    return build
