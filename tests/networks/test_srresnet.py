from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.networks.srresnet import SRResNet, srresnet, srresnet_x4


def test_without_its_last_layer_it_enlarges_like_pillow() -> None:
    network = srresnet_x4(blocks=1, width=4)
    torch.nn.init.zeros_(network.conv_last.weight)
    plane = np.random.default_rng(0).random((9, 13), dtype=np.float32)
    wanted = np.asarray(Image.fromarray(plane).resize((52, 36), Image.Resampling.BILINEAR))
    with torch.inference_mode():
        found = network(torch.from_numpy(plane).expand(1, 3, 9, 13))
    np.testing.assert_allclose(found[0].numpy(), np.stack([wanted] * 3), rtol=0, atol=1e-6)


def test_without_its_last_layer_the_restorer_changes_nothing() -> None:
    network = srresnet(blocks=1, width=4)
    torch.nn.init.zeros_(network.conv_last.weight)
    x = torch.rand(1, 3, 9, 13)
    with torch.inference_mode():
        assert torch.equal(network(x), x)


def test_layers_are_named_as_in_published_weights() -> None:
    layers = {key.rpartition(".")[0] for key in srresnet_x4(blocks=1, width=4).state_dict()}
    assert layers == {
        "conv_first", "body.0.conv1", "body.0.conv2", "upconv1", "upconv2", "conv_hr", "conv_last"
    }  # fmt: skip


def test_starts_near_its_input() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 24, 24)
    with torch.inference_mode():
        assert (srresnet()(x) - x).abs().mean() < 0.1


@pytest.mark.parametrize("wrong", [{"scale": 2}, {"blocks": 0}, {"width": 0}])
def test_impossible_shapes(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give scale 1 or 4"):
        SRResNet(**{"blocks": 1, "width": 4, "scale": 1, **wrong})
