from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.dehazeformer import (
    Aggregation,
    DehazeFormer,
    DehazeFormerBlock,
    RescaleNorm,
    SelectiveFusion,
    dehazeformer_b,
    dehazeformer_s,
    dehazeformer_t,
)
from unblemish.networks.reflection_attention import PositionBias, WindowAttention, mirror


def drawn(module: nn.Module) -> nn.Module:
    """Every parameter drawn, in float64: zeros and ones would hide what they multiply."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.double()


@pytest.mark.parametrize(
    ("build", "count", "published"),
    [
        (dehazeformer_t, 687_372, 0.686),
        (dehazeformer_s, 1_284_828, 1.283),
        (dehazeformer_b, 2_517_500, 2.514),
    ],
)
def test_parameter_counts(build: Callable[[], DehazeFormer], count: int, published: float) -> None:
    """The paper's count leaves out the norms' own gain and bias; we have no bias behind the positions, one a head."""
    network = build()
    idle = sum(part.heads for part in network.modules() if isinstance(part, WindowAttention))
    affine = sum(2 * part.weight.numel() for part in network.modules() if isinstance(part, RescaleNorm))
    assert network.parameter_count == count
    assert round((count + idle - affine) / 1e6, 3) == published


@pytest.mark.parametrize(("before", "height", "width"), [(0, 7, 5), (2, 11, 9), (4, 16, 16), (0, 8, 32), (1, 40, 9)])
@pytest.mark.parametrize("size", [(7, 5), (1, 1), (1, 3), (2, 4)])
def test_mirror_is_numpys_reflection(size: tuple[int, int], before: int, height: int, width: int) -> None:
    x = torch.rand(1, 2, *size)
    sides = [(before, wanted - before - there) for wanted, there in zip((height, width), size, strict=True)]
    wanted = np.pad(x.numpy(), [(0, 0), (0, 0), *sides], mode="reflect")
    np.testing.assert_array_equal(mirror(x, before, height, width).numpy(), wanted)


def test_mirror_by_number_is_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exported networks take the way without branches."""
    x = torch.rand(1, 2, 7, 5)
    quick = mirror(x, 3, 12, 10)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(mirror(x, 3, 12, 10), quick)
    assert torch.equal(mirror(x, 0, 7, 5), x)


def test_rescale_norm() -> None:
    norm = drawn(RescaleNorm(3))
    assert isinstance(norm, RescaleNorm)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64) * 3 + 1
    normalised, scale, shift = norm(x)
    for index, picture in enumerate(x):
        mean = picture.sum() / 60
        deviation = (((picture - mean) ** 2).sum() / 60 + 1e-5).sqrt()
        for channel in range(3):
            plain = (picture[channel] - mean) / deviation * norm.weight[channel] + norm.bias[channel]
            torch.testing.assert_close(normalised[index, channel], plain)
            wanted = deviation * norm.scale_weight[channel] + norm.scale_bias[channel]
            torch.testing.assert_close(scale[index, channel].reshape(()), wanted.reshape(()), rtol=1e-6, atol=1e-6)
            wanted = mean * norm.shift_weight[channel] + norm.shift_bias[channel]
            torch.testing.assert_close(shift[index, channel].reshape(()), wanted.reshape(()), rtol=1e-6, atol=1e-6)


def test_position_bias() -> None:
    """One pair of pixels at a time."""
    bias = drawn(PositionBias(heads=2, window=3))
    assert isinstance(bias, PositionBias)
    found = bias()
    for query in range(9):
        for key in range(9):
            offsets = (query // 3 - key // 3, query % 3 - key % 3)
            logs = torch.tensor([np.sign(o) * np.log(1 + abs(o)) for o in offsets], dtype=torch.float64)
            hidden = (bias.expand.weight @ logs + bias.expand.bias).clamp(min=0)
            torch.testing.assert_close(found[:, query, key], bias.reduce.weight @ hidden, rtol=1e-6, atol=1e-5)


def attended(joined: Tensor, bias: Tensor, side: int, shift: int, heads: int) -> Tensor:
    """Attention one pixel at a time over a picture mirrored far in all directions: `(3C, H, W)` to `(C, H, W)`."""
    channels, (height, width) = joined.shape[0] // 3, joined.shape[1:]
    far = 2 * side
    mirrored = torch.from_numpy(np.pad(joined.detach().numpy(), ((0, 0), (far, far), (far, far)), mode="reflect"))
    query, key, value = mirrored.reshape(3, heads, channels // heads, height + 2 * far, width + 2 * far)
    result = torch.empty(heads, channels // heads, height, width, dtype=joined.dtype)
    for row in range(height):
        for column in range(width):
            top, left = (row + shift) // side * side - shift, (column + shift) // side * side - shift
            rows, columns = (slice(start + far, start + far + side) for start in (top, left))
            own = (row - top) * side + column - left
            for head in range(heads):
                keys, values = (part[head, :, rows, columns].flatten(1) for part in (key, value))
                scores = query[head, :, row + far, column + far] @ keys / (channels // heads) ** 0.5
                result[head, :, row, column] = values @ torch.softmax(scores + bias[head, own], dim=0)
    return result.reshape(channels, height, width)


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("size", [(8, 4), (6, 9), (3, 2), (1, 1)])
def test_window_attention(size: tuple[int, int], shift: int) -> None:
    attention = drawn(WindowAttention(6, heads=2, window=4, shift=shift))
    assert isinstance(attention, WindowAttention)
    joined = torch.randn(2, 18, *size, dtype=torch.float64)
    with torch.no_grad():
        bias = attention.position_bias()
        wanted = torch.stack([attended(picture, bias, 4, shift, 2) for picture in joined])
        torch.testing.assert_close(attention(joined), wanted)


@pytest.mark.parametrize("heads", [0, 2])
def test_values_are_convolved_beside_the_attention(heads: int) -> None:
    aggregation = drawn(Aggregation(6, heads, shift=4))
    assert isinstance(aggregation, Aggregation)
    x = torch.randn(1, 6, 9, 7, dtype=torch.float64)
    joined = F.conv2d(x, aggregation.expand.weight, aggregation.expand.bias)
    padded = F.pad(joined[:, -6:], (2, 2, 2, 2), mode="reflect")
    mixed = F.conv2d(padded, aggregation.depthwise.weight, aggregation.depthwise.bias, groups=6)
    if aggregation.attention is not None:
        mixed = mixed + aggregation.attention(joined)
    wanted = F.conv2d(mixed, aggregation.project.weight, aggregation.project.bias)
    torch.testing.assert_close(aggregation(x), wanted)


def test_fusion_weighs_channel_by_channel() -> None:
    fusion = drawn(SelectiveFusion(8))
    assert isinstance(fusion, SelectiveFusion)
    first, second = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    average = (first + second).mean(dim=(1, 2))
    scores = fusion.weigh.weight[:, :, 0, 0] @ (fusion.squeeze.weight[:, :, 0, 0] @ average).clamp(min=0)
    share = 1 / (1 + torch.exp(scores[8:] - scores[:8]))[:, None, None]
    torch.testing.assert_close(fusion(first[None], second[None])[0], first * share + second * (1 - share))


def test_soft_reconstruction_is_on_minus_one_to_one() -> None:
    """With nothing but biases in the last layer, K and B are the same everywhere."""
    network = dehazeformer_t(width=6, blocks=2)
    terms = torch.tensor([0.5, 0.1, -0.2, 0.3])
    with torch.no_grad():
        network.ending.weight.zero_()
        assert network.ending.bias is not None
        network.ending.bias.copy_(terms)
        x = torch.rand(1, 3, 8, 12)
        signed = 2 * x - 1
        wanted = terms[0] * signed - terms[1:].reshape(3, 1, 1) + signed
        torch.testing.assert_close(2 * network(x) - 1, wanted, rtol=0, atol=1e-6)


def test_attention_is_last_in_a_stage_and_every_other_window_shifted() -> None:
    def shifts(stage: nn.Module) -> list[int | None]:
        parts = [part.attention for part in stage.modules() if isinstance(part, Aggregation)]
        return [part.shift if part else None for part in parts]

    small = dehazeformer_s(width=6)
    assert [shifts(stage) for stage in (*small.encoders, small.middle, *small.decoders)] == [
        [None] * 6 + [0, 4],
        [None] * 4 + [0, 4, 0, 4],
        [None] * 2 + [0, 4, 0, 4, 0, 4],
        [None] * 4,
        [None] * 4,
    ]
    tiny = dehazeformer_t(width=6)
    assert [shifts(stage) for stage in (*tiny.encoders, tiny.middle)] == [[None] * 4, [None, None, 0, 4], [0, 4, 0, 4]]


def test_starts_as_published() -> None:
    """Xavier's deviation times (8 * 16 blocks)^(-1/4) for all but queries and keys."""
    torch.manual_seed(0)
    block = next(part for part in dehazeformer_t(width=48).middle.modules() if isinstance(part, DehazeFormerBlock))
    joined = block.aggregation.expand.weight
    size = (8 * 16) ** -0.25
    assert joined[:384].std().item() == pytest.approx((2 / (192 + 384)) ** 0.5, rel=0.05)
    assert joined[384:].std().item() == pytest.approx(size * 192**-0.5, rel=0.05)
    assert block.widen.weight.std().item() == pytest.approx(size * (2 / (192 + 768)) ** 0.5, rel=0.05)
    assert block.aggregation.depthwise.weight.std().item() == pytest.approx(size * (2 / (25 * 193)) ** 0.5, rel=0.05)
    biases = [part.bias for part in block.modules() if isinstance(part, nn.Conv2d)]
    assert not any(bias is None or bias.any() for bias in biases)


def test_trains_under_autocast() -> None:
    torch.manual_seed(0)
    network = dehazeformer_t(width=6, blocks=2).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        restored = network(torch.rand(2, 3, 20, 12).contiguous(memory_format=torch.channels_last))
    assert restored.dtype == torch.float32
    restored.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("width", [0, -6, 8])
def test_impossible_widths(width: int) -> None:
    with pytest.raises(ValueError, match=f"give a width that is a multiple of 6, .* not {width}"):
        dehazeformer_t(width=width)


@pytest.mark.parametrize("blocks", [0, 3])
def test_impossible_blocks(blocks: int) -> None:
    with pytest.raises(ValueError, match=f"give an even number of blocks from 2, .* not {blocks}"):
        dehazeformer_s(blocks=blocks)


def test_more_attention_than_blocks() -> None:
    with pytest.raises(ValueError, match="between no and all of its blocks"):
        DehazeFormer(width=6, blocks=(1, 1, 1, 1, 1), attention=(0, 2, 1, 0, 0))
