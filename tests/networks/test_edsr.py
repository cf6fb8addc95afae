from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.edsr import EDSR, edsr_light_x2, edsr_light_x4

MEAN = torch.tensor([0.4488, 0.4371, 0.4040])[:, None, None]
SCALES = (2, 3, 4)


def tiny(scale: int, blocks: int = 2) -> EDSR:
    torch.manual_seed(0)
    return EDSR(blocks=blocks, width=4, scale=scale)


def shuffled(x: Tensor, step: int) -> Tensor:
    """Every `step`^2 channels become squares of pixels, written out."""
    batch, channels, height, width = x.shape
    y = x.new_zeros(batch, channels // step**2, height * step, width * step)
    for row in range(step):
        for column in range(step):
            y[:, :, row::step, column::step] = x[:, row * step + column :: step**2]
    return y


def written_out(w: dict[str, Tensor], x: Tensor, scale: int, blocks: int, white: float) -> Tensor:
    """Fig. 3 of the paper for pictures in [0, 1], straight from the weights."""

    def layer(name: str, y: Tensor) -> Tensor:
        return F.conv2d(y, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    shallow = y = layer("conv_first", (x - MEAN) * white)
    for block in range(blocks):
        y = y + layer(f"body.{block}.conv2", layer(f"body.{block}.conv1", y).clamp(min=0))
    y = layer("conv_after_body", y) + shallow
    for position, step in {2: [(0, 2)], 3: [(0, 3)], 4: [(0, 2), (2, 2)]}[scale]:
        y = shuffled(layer(f"upsample.{position}", y), step)
    return layer("conv_last", y) / white + MEAN


@pytest.mark.parametrize("scale", SCALES)
def test_is_figure_3(scale: int) -> None:
    network, x = tiny(scale), torch.rand(2, 3, 7, 9)
    with torch.inference_mode():
        wanted = written_out(network.state_dict(), x, scale, blocks=2, white=255)
        torch.testing.assert_close(network(x), wanted, rtol=0, atol=1e-5)


def test_the_range_inside_only_makes_biases_weaker() -> None:
    """What the module's docstring says of it: in [0, 1] the same network has biases a 255th as large."""
    network, x = tiny(2), torch.rand(1, 3, 8, 8)
    weights = {key: value / 255 if key.endswith("bias") else value for key, value in network.state_dict().items()}
    with torch.inference_mode():
        wanted = written_out(weights, x, 2, blocks=2, white=1)
        torch.testing.assert_close(network(x), wanted, rtol=0, atol=1e-5)


def test_parameter_counts() -> None:
    """BasicSR's EDSR-M at each scale."""
    assert edsr_light_x2().parameter_count == 1_369_859
    assert EDSR(blocks=16, width=64, scale=3).parameter_count == 1_554_499
    assert edsr_light_x4().parameter_count == 1_517_571


def test_layers_are_named_as_in_published_weights() -> None:
    def layers(network: EDSR) -> list[str]:
        return [key.removesuffix(".weight") for key in network.state_dict() if key.endswith("weight")]

    before = ["conv_first", "body.0.conv1", "body.0.conv2", "conv_after_body"]
    assert layers(edsr_light_x2(blocks=1, width=4)) == [*before, "upsample.0", "conv_last"]
    assert layers(edsr_light_x4(blocks=1, width=4)) == [*before, "upsample.0", "upsample.2", "conv_last"]
    assert not dict(edsr_light_x2(blocks=1, width=4).named_buffers())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_starts_from_the_mean_colour_unrounded(dtype: torch.dtype) -> None:
    network = tiny(4).to(dtype)
    for parameter in network.conv_last.parameters():
        nn.init.zeros_(parameter)
    with torch.inference_mode():
        restored = network(torch.rand(1, 3, 5, 6))
    assert torch.equal(restored, MEAN.expand(1, 3, 20, 24))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("blocks", [1, 3])
def test_sees_as_far_as_it_says(scale: int, blocks: int) -> None:
    network = tiny(scale, blocks).double()
    reach = 2 * blocks + 4
    assert network.receptive_field == reach
    x = torch.rand(1, 3, 2 * reach + 5, 3, dtype=torch.float64, requires_grad=True)
    centre = reach + 2
    seen = 0
    for row in range(centre * scale, (centre + 1) * scale):
        (gradient,) = torch.autograd.grad(network(x)[..., row, :].sum(), x)
        rows = gradient.abs().amax(dim=(0, 1, 3)).nonzero()
        seen = max(seen, int((rows - centre).abs().max()))
    assert seen == reach


@pytest.mark.parametrize("wrong", [{"scale": 1}, {"scale": 5}, {"blocks": 0}, {"width": 0}])
def test_impossible_shapes(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give scale 2, 3 or 4, blocks and width from 1, not"):
        EDSR(**{"blocks": 1, "width": 4, "scale": 2, **wrong})
