from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.swinir import (
    ResidualSwinBlock,
    SwinIR,
    SwinLayer,
    swinir_light_x2,
    swinir_light_x4,
    swinir_x4,
)
from unblemish.networks.window_attention import WindowAttention

Constructor = Callable[..., SwinIR]
SMALL = {"width": 8, "blocks": 1, "layers": 2, "heads": 2}
every_variant = pytest.mark.parametrize("constructor", [swinir_light_x2, swinir_light_x4, swinir_x4])


def stirred(module: nn.Module) -> nn.Module:
    """The module with every parameter drawn large enough to matter."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) / 2)
    return module


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (8, 24), (16, 8), (24, 16)])
def test_attention_is_equation_4_of_swin(size: tuple[int, int], shifted: bool) -> None:
    """Against attention between all pixels of the picture, of which only those of one window may see each other.

    Here the picture stays where it is, and the windows move: those that stick out have fewer pixels.
    """
    attention = WindowAttention(12, heads=3, shifted=shifted).double()
    stirred(attention)
    height, width = size
    x = torch.randn(2, height, width, 12, dtype=torch.float64)
    row, column = torch.arange(height).repeat_interleave(width), torch.arange(width).repeat(height)  # (pixels,) each
    start = 4 if shifted else 8  # the first window begins 8 earlier
    window = torch.stack([(row + 8 - start) // 8, (column + 8 - start) // 8])
    apart = (window[:, :, None] != window[:, None, :]).any(dim=0)  # (pixels, pixels)
    down, right = row[:, None] - row, column[:, None] - column
    wanted = torch.empty_like(x)
    for picture in range(2):
        joined = attention.qkv(x[picture].reshape(-1, 12))  # (pixels, 36)
        for head in range(3):
            query, key, value = (joined[:, part * 12 + head * 4 : part * 12 + head * 4 + 4] for part in range(3))
            table = attention.relative_position_bias_table[:, head].reshape(15, 15)
            bias = table[(down + 7).clamp(0, 14), (right + 7).clamp(0, 14)]  # far ones are apart anyway
            likeness = query @ key.T / 2 + bias  # the square root of 4 channels
            mixed = torch.softmax(likeness.masked_fill(apart, -torch.inf), dim=1) @ value  # (pixels, 4)
            wanted[picture, :, :, head * 4 : head * 4 + 4] = mixed.reshape(height, width, 4)
    torch.testing.assert_close(attention(x), attention.proj(wanted), rtol=0, atol=1e-12)


def test_block_is_figures_2a_and_2b() -> None:
    block = ResidualSwinBlock(8, heads=2, dropped=[0.0, 0.0])
    stirred(block)
    x = torch.randn(1, 16, 8, 8)
    y = x
    for layer in block.residual_group.blocks:
        hidden = F.layer_norm(y, (8,), layer.norm1.weight, layer.norm1.bias)
        y = y + layer.attn(hidden)
        hidden = F.layer_norm(y, (8,), layer.norm2.weight, layer.norm2.bias)
        hidden = hidden @ layer.mlp.fc1.weight.T + layer.mlp.fc1.bias
        hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
        y = y + hidden @ layer.mlp.fc2.weight.T + layer.mlp.fc2.bias
    wanted = x + F.conv2d(y.movedim(3, 1), block.conv.weight, block.conv.bias, padding=1).movedim(1, 3)
    torch.testing.assert_close(block(x), wanted, rtol=1e-5, atol=1e-5)
    assert [m.shifted for m in block.modules() if isinstance(m, WindowAttention)] == [False, True]


@every_variant
def test_network_is_figure_2(constructor: Constructor) -> None:
    network = constructor(**{**SMALL, "blocks": 2})
    stirred(network).eval()
    weights = network.state_dict()

    def convolve(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)

    def normalise(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (8,), weights[f"{name}.weight"], weights[f"{name}.bias"])

    x = torch.rand(1, 3, 8, 16)
    mean = torch.tensor([0.4488, 0.4371, 0.4040])[:, None, None]
    with torch.inference_mode():
        first = convolve(x - mean, "conv_first")
        y = normalise(first.movedim(1, 3), "patch_embed.norm")
        for block in network.layers:
            y = block(y)
        y = first + convolve(normalise(y, "norm").movedim(3, 1), "conv_after_body")
        if constructor is swinir_x4:
            y = F.leaky_relu(convolve(y, "conv_before_upsample.0"), 0.01)
            for name in ("upsample.0", "upsample.2"):
                y = F.pixel_shuffle(convolve(y, name), 2)
            y = convolve(y, "conv_last")
        else:
            y = F.pixel_shuffle(convolve(y, "upsample.0"), network.scale)
        wanted = y + mean
        torch.testing.assert_close(network(x), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize(
    ("constructor", "count"), [(swinir_light_x2, 910_152), (swinir_light_x4, 929_628), (swinir_x4, 11_900_199)]
)
def test_published_parameter_counts(constructor: Constructor, count: int) -> None:
    assert constructor().parameter_count == count


def test_layers_are_named_as_in_published_weights() -> None:
    keys = {key.rpartition(".")[0] for key in swinir_x4(**{**SMALL, "layers": 1}).state_dict()}
    block = "layers.0.residual_group.blocks.0"
    assert keys == {
        "conv_first", "patch_embed.norm", f"{block}.norm1", f"{block}.attn", f"{block}.attn.qkv", f"{block}.attn.proj",
        f"{block}.norm2", f"{block}.mlp.fc1", f"{block}.mlp.fc2", "layers.0.conv", "norm", "conv_after_body",
        "conv_before_upsample.0", "upsample.0", "upsample.2", "conv_last",
    }  # fmt: skip
    light = swinir_light_x2(**SMALL).state_dict()
    assert [key for key in light if "upsample" in key or "last" in key] == ["upsample.0.weight", "upsample.0.bias"]
    assert "layers.0.residual_group.blocks.1.attn.relative_position_bias_table" in light


def test_in_training_branches_are_dropped() -> None:
    """Each of a picture's two branches is left out whole, or else scaled up; in evaluation nothing is."""
    layer = SwinLayer(4, heads=1, shifted=False, dropped=0.75)
    stirred(layer)
    nn.init.zeros_(layer.mlp.fc2.weight)
    nn.init.zeros_(layer.mlp.fc2.bias)
    x = torch.randn(1, 8, 8, 4).expand(400, -1, -1, -1)
    with torch.inference_mode():
        branch = layer.eval()(x[:1]) - x[:1]
        trained = layer.train()(x) - x
    kept = trained.flatten(1).any(dim=1)
    torch.testing.assert_close(trained[kept], 4 * branch.expand(int(kept.sum()), -1, -1, -1), rtol=0, atol=1e-4)
    assert 0.18 < kept.float().mean() < 0.32


def test_deeper_branches_are_dropped_more() -> None:
    network = swinir_light_x2(**{**SMALL, "blocks": 2})
    chances = [layer.dropped for layer in network.modules() if isinstance(layer, SwinLayer)]
    assert chances == pytest.approx([0, 0.1 / 3, 0.2 / 3, 0.1])
    assert [m.dropped for m in swinir_light_x2(**{**SMALL, "layers": 1}).modules() if isinstance(m, SwinLayer)] == [0]


def test_training_repeats_with_the_seed_and_takes_bfloat16() -> None:
    network = swinir_light_x2(**SMALL).train()

    def step() -> list[Tensor]:
        torch.manual_seed(4)
        with torch.autocast("cpu", torch.bfloat16):
            restored = network(torch.rand(2, 3, 12, 20))
        assert restored.dtype == torch.float32  # the mean is added in the picture's own
        network.zero_grad()
        restored.square().mean().backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    first, second = step(), step()
    assert len(first) == len(list(network.parameters()))
    assert all(torch.equal(a, b) and a.isfinite().all() for a, b in zip(first, second, strict=True))


@every_variant
def test_without_its_last_layer_it_makes_the_mean(constructor: Constructor) -> None:
    """Unrounded, though the weights are in bfloat16."""
    network = constructor(**SMALL).bfloat16()
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    with torch.inference_mode():
        y = network(torch.rand(1, 3, 5, 11))
    assert torch.equal(y, torch.tensor([0.4488, 0.4371, 0.4040])[:, None, None].expand(y.shape))
    assert y.shape == (1, 3, 5 * network.scale, 11 * network.scale)


def test_the_mean_colour_is_its_black() -> None:
    """Without biases and norms' shifts, a picture of the mean colour gives nothing to enlarge."""
    network = swinir_light_x4(**SMALL)
    for key, parameter in network.named_parameters():
        if key.endswith("bias"):
            nn.init.zeros_(parameter)
    grey = network.mean.float().expand(1, 3, 8, 8) / 10_000
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(grey)[..., ::4, ::4], grey, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"blocks": 0}, "from 1, not 8, 0, 2 and 2"),
        ({"layers": 0}, "from 1, not 8, 1, 0 and 2"),
        ({"heads": -2}, "from 1, not 8, 1, 2 and -2"),
        ({"heads": 3}, "give a width that its 3 heads divide, as 9, not 8"),
        ({"scale": 3}, "give scale 2 or 4, not 3"),
    ],
)
def test_impossible_shapes(wrong: dict[str, int], message: str) -> None:
    options = {**SMALL, "scale": 2, **wrong}
    with pytest.raises(ValueError, match=message):
        SwinIR(**options, direct=True)
