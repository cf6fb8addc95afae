from __future__ import annotations

import pytest
import torch

from unblemish.networks.multiscale_supernet import MultiScaleSupernet


@pytest.fixture
def supernet() -> MultiScaleSupernet:
    """Three columns, all weights of a size that signals pass."""
    torch.manual_seed(0)
    network = MultiScaleSupernet("2/1", in_place=False, width=2, gray=False, residual=True, fold=1)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return network
