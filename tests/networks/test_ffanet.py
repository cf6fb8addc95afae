from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.ffanet import Block, ChannelAttention, FFANet, PixelAttention, ffanet, ffanet_small

MEAN = torch.tensor([0.64, 0.6, 0.58])[:, None, None]
DEVIATION = torch.tensor([0.14, 0.15, 0.152])[:, None, None]


def tiny(*, denormalise: bool) -> FFANet:
    torch.manual_seed(0)
    return FFANet(blocks=1, width=16, denormalise=denormalise)


def weights_of(part: nn.Sequential, x: Tensor) -> Tensor:
    """`(pixels, inputs)` to `(pixels, outputs)`: sigmoid(W2 relu(W1 x + b1) + b2), as linear algebra."""
    (w1, b1), (w2, b2) = ((m.weight.flatten(1), m.bias) for m in part if isinstance(m, nn.Conv2d))
    assert b1 is not None
    assert b2 is not None
    hidden = (x @ w1.T + b1).clamp(min=0)
    return 1 / (1 + torch.exp(-(hidden @ w2.T + b2)))


def test_channel_attention_weighs_by_means() -> None:
    torch.manual_seed(0)
    attention, x = ChannelAttention(64), torch.randn(2, 64, 5, 7)
    means = x.flatten(2).sum(2) / 35  # (2, 64)
    wanted = torch.einsum("bchw,bc->bchw", x, weights_of(attention.ca, means))
    torch.testing.assert_close(attention(x), wanted)


def test_pixel_attention_weighs_all_channels_of_a_pixel_alike() -> None:
    torch.manual_seed(0)
    attention, x = PixelAttention(64), torch.randn(2, 64, 5, 7)
    wanted = torch.empty_like(x)
    for picture in range(2):
        pixels = x[picture].flatten(1).T  # (35, 64)
        wanted[picture] = (pixels * weights_of(attention.pa, pixels)).T.reshape(64, 5, 7)  # (C, H, W)
    torch.testing.assert_close(attention(x), wanted)


def test_block_has_an_identity_around_each_half() -> None:
    torch.manual_seed(0)
    block, x = Block(16), torch.randn(1, 16, 6, 5)
    inner = F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1).clamp(min=0) + x
    outer = F.conv2d(inner, block.conv2.weight, block.conv2.bias, padding=1)
    torch.testing.assert_close(block(x), block.palayer(block.calayer(outer)) + x)


def test_fuses_its_groups_by_weights_of_their_own() -> None:
    """Each group continues the one before; a weight for each channel of each."""
    network, x = tiny(denormalise=False), torch.rand(1, 3, 6, 5)
    normalised = (x - MEAN) / DEVIATION
    y, results = network.pre(normalised), []
    for group in (network.g1, network.g2, network.g3):
        block, convolution = group.gp
        y = convolution(block(y)) + y
        results.append(y)
    stacked = torch.stack(results, dim=1)  # (1, 3, 16, 6, 5)
    weights = weights_of(network.ca, stacked.mean(dim=(3, 4)).flatten(1)).reshape(1, 3, 16)  # (B, groups, C)
    fused = torch.einsum("bgchw,bgc->bchw", stacked, weights)
    wanted = normalised + network.post(network.palayer(fused))
    torch.testing.assert_close(network(x), wanted, rtol=1e-5, atol=1e-5)


def test_the_small_one_takes_the_same_sum_out_of_the_normalisation() -> None:
    x = torch.rand(1, 3, 6, 5)
    with torch.inference_mode():
        published, small = tiny(denormalise=False)(x), tiny(denormalise=True)(x)
    torch.testing.assert_close(small, published * DEVIATION + MEAN, rtol=0, atol=1e-6)
    assert ffanet_small(blocks=1, width=16).denormalise
    assert not ffanet(blocks=1, width=16).denormalise


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_a_residual_only_the_published_one_changes_the_picture(dtype: torch.dtype) -> None:
    """Neither skip is rounded with the weights."""
    x = torch.rand(1, 3, 6, 5)
    for denormalise, wanted in ((True, x), (False, (x - MEAN) / DEVIATION)):
        network = tiny(denormalise=denormalise).to(dtype)
        for parameter in network.post.parameters():
            nn.init.zeros_(parameter)
        with torch.inference_mode():
            restored = network(x)
        assert restored.dtype == torch.float32
        torch.testing.assert_close(restored, wanted, rtol=0, atol=0 if denormalise else 1e-6)


def test_parameter_counts() -> None:
    assert ffanet().parameter_count == 4_455_913  # 4.46 million
    assert ffanet_small().parameter_count == 213_785


def test_narrow_networks_keep_the_published_bottlenecks() -> None:
    def hidden(network: FFANet) -> set[int]:
        bottlenecks = (m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1))
        return {m.out_channels for m in bottlenecks if m.out_channels < m.in_channels} - {1}

    assert hidden(ffanet(blocks=1)) == hidden(ffanet(blocks=1, width=24)) == {8, 4}
    assert hidden(ffanet(blocks=1, width=128)) == {16, 8}


def test_layers_are_named_as_in_published_weights() -> None:
    layers = [key.removesuffix(".weight") for key in ffanet(blocks=2).state_dict() if key.endswith("weight")]
    parts = ("conv1", "conv2", "calayer.ca.0", "calayer.ca.2", "palayer.pa.0", "palayer.pa.2")
    groups = [
        layer
        for group in ("g1", "g2", "g3")
        for layer in (*(f"{group}.gp.{block}.{part}" for block in (0, 1) for part in parts), f"{group}.gp.2")
    ]
    assert layers == ["pre.0", *groups, "ca.1", "ca.3", "palayer.pa.0", "palayer.pa.2", "post.0", "post.1"]
    assert not dict(ffanet(blocks=1).named_buffers())


@pytest.mark.parametrize("wrong", [{"blocks": 0}, {"width": 0}])
def test_impossible_shapes(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give blocks and width from 1, not"):
        ffanet(**wrong)
