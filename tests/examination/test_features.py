from __future__ import annotations

import pytest
import torch

from unblemish.examination.errors import ExaminationError
from unblemish.examination.features import DeepRepresentation
from unblemish.networks.srresnet import SRResNet, srresnet, srresnet_x4


@pytest.fixture
def network() -> SRResNet:
    torch.manual_seed(0)
    return srresnet_x4(blocks=2, width=8)


@pytest.mark.parametrize(("tap", "layer", "scale"), [("hr", "conv_last", 4), ("trunk", "upconv1", 1)])
def test_it_is_what_the_next_layer_sees(network: SRResNet, tap, layer: str, scale: int) -> None:
    seen: list[torch.Tensor] = []
    network.get_submodule(layer).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.rand(2, 3, 12, 17)
    with torch.no_grad():
        network(x)
    found = DeepRepresentation(network, tap)(x)
    torch.testing.assert_close(found, seen[0])
    assert found.shape == (2, 8, 12 * scale, 17 * scale)
    assert not found.requires_grad


@pytest.mark.parametrize("tap", ["hr", "trunk"])
def test_patches_of_both_taps_have_equally_many_values(network: SRResNet, tap) -> None:
    features = DeepRepresentation(network, tap)
    side = features.patch_side
    assert features(torch.rand(1, 3, side, side)).shape == (1, 8, 128, 128)


def test_bfloat16_is_near_and_the_network_is_left_alone(network: SRResNet) -> None:
    x = torch.rand(1, 3, 16, 16)
    exact, coarse = (DeepRepresentation(network, "hr", dtype)(x) for dtype in (torch.float32, torch.bfloat16))
    assert coarse.dtype == torch.bfloat16
    assert (coarse - exact).abs().mean() < 0.02 * exact.abs().mean()
    assert network.conv_hr.weight.dtype == torch.float32
    assert network.training
    assert network.conv_hr.weight.requires_grad


def test_records_say_what_it_is(network: SRResNet) -> None:
    features = DeepRepresentation(network, "trunk", torch.bfloat16)
    assert features.name == "srresnet_x4_trunk"
    expected = {"kind": "deep degradation representation", "tap": "trunk", "width": 8, "blocks": 2, "dtype": "bfloat16"}
    assert features.description == expected


def test_networks_that_describe_nothing_are_refused(network: SRResNet) -> None:
    with pytest.raises(ExaminationError, match="enlarge by four"):
        DeepRepresentation(srresnet(blocks=1, width=4))
    with pytest.raises(ExaminationError, match="choose hr or trunk"):
        DeepRepresentation(network, "last")  # pyright: ignore[reportArgumentType]
