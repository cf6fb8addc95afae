from __future__ import annotations

import pytest
import torch

from unblemish.restoration.margin import measure_margin


def picture(height=120, width=150):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("scale", [1, 2])
def test_without_tolerance_it_is_the_receptive_field(convolutions, fold, scale):
    network = convolutions(fold=fold, scale=scale).eval()
    with torch.inference_mode():
        measured = measure_margin(network, [picture()], tolerance=1e-7)
    assert network.receptive_field - fold <= measured <= network.receptive_field


def test_differences_too_small_to_see_need_no_margin(convolutions):
    assert measure_margin(convolutions().eval(), [picture()], tolerance=1.0) == 0


def test_networks_that_see_everything_have_none(identity):
    network = identity()
    network.receptive_field = None
    with pytest.raises(ValueError, match="sees the whole picture"):
        measure_margin(network, [picture()])
