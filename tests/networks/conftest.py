from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch

from unblemish.networks.base import Network
from unblemish.networks.catalogue import create


@pytest.fixture(scope="session")
def lively() -> Callable[..., Network]:
    """A network by name and options with every parameter drawn: zeros would hide whole branches.

    The networks are shared between tests: copy one before changing it.
    """

    @cache
    def build(name: str, **options: object) -> Network:
        torch.manual_seed(0)
        network = create(name, options).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                if not parameter.any():
                    parameter.normal_(0, 0.1)
        return network

    return build
