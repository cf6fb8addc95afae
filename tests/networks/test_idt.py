from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.idt import IDT, LocalFeedForward, SpatialBlock, WindowBlock, idt, idt_small
from unblemish.networks.idt_attention import PositionEnhancedAttention, from_windows, to_windows


def lively(module: Any) -> Any:
    """Every parameter drawn: zeros would hide whole terms of an equation."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.3, generator=generator)
    return module.double().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def released_attention(channels: int, heads: int, reach: int, kernel: int) -> int:
    """Parameters: queries, keys, values and positions, their two convolutions, the table, the projection."""
    linear = channels * channels + channels
    convolutions = channels * kernel**2 + channels + channels * channels // heads + channels
    return 4 * linear + convolutions + heads * (2 * reach - 1) ** 2 + linear


def released_feed_forward(channels: int, hidden: int) -> int:
    return channels * hidden + hidden + 9 * hidden + hidden + hidden * channels + channels


def released_count() -> int:
    """Parameters of the authors' public code, layer by layer, for crops of 128x128."""

    def window_block(channels: int) -> int:
        norms = 4 * channels
        return (
            norms + released_attention(channels, channels // 32, 8, 5) + released_feed_forward(channels, 4 * channels)
        )

    def spatial_block(channels: int, windows: int) -> int:
        kernel = 3 if windows == 2 else 5
        attention = released_attention(64, channels // 32, windows, kernel)
        return 2 * channels + attention + released_feed_forward(channels, 256)

    encoder = ((32, 3, 16), (64, 3, 8), (128, 2, 4), (256, 2, 2))
    decoder = ((512, 1, 2), (256, 2, 4), (128, 2, 8), (64, 3, 16))
    stages = sum(n * window_block(width) + spatial_block(width, side) for width, n, side in (*encoder, *decoder))
    downs = sum(16 * width * 2 * width + 2 * width for width, _, _ in encoder)
    ups = sum(4 * above * below + below for above, below in ((512, 256), (512, 128), (256, 64), (128, 32)))
    ends = 9 * 3 * 32 + 32 + 9 * 64 * 3 + 3
    return stages + window_block(512) + downs + ups + ends


def test_parameter_counts() -> None:
    assert idt().parameter_count == released_count() == 16_416_463
    assert idt_small().parameter_count == 629_586


def test_small_starts_as_the_identity() -> None:
    x = torch.rand(1, 3, 20, 30)
    assert torch.equal(idt_small(width=4)(x), x)


def test_size_rules() -> None:
    assert (idt(width=2).size_multiple, idt_small().size_multiple) == (128, 64)
    assert idt_small().receptive_field is None


@pytest.mark.parametrize(("height", "width"), [(3, 5), (1, 2), (2, 2)])
def test_attention_is_its_equation(height: int, width: int) -> None:
    """Against the equation written out, one picture, head and query at a time; 3x5 exceeds the reach of 3."""
    dim, heads, reach, each = 6, 2, 3, 3
    attention = lively(PositionEnhancedAttention(dim, heads, reach))
    x = noise(2, height, width, dim)
    linear = x @ attention.expand.weight.T + attention.expand.bias
    query, key, value, place = linear.reshape(2, height * width, 4, dim).unbind(2)  # (B, tokens, dim) each
    near = F.pad(place.reshape(2, height, width, dim), (0, 0, 2, 2, 2, 2))  # (B, H + 4, W + 4, dim)
    tokens = [(row, column) for row in range(height) for column in range(width)]
    mixed = torch.empty(2, height * width, dim, dtype=torch.float64)
    for picture in range(2):
        for head in range(heads):
            part = slice(each * head, each * (head + 1))
            for index, (row, column) in enumerate(tokens):
                scores = key[picture, :, part] @ query[picture, index, part] / each**0.5
                for other, (far_row, far_column) in enumerate(tokens):
                    down, right = (min(max(d, -2), 2) + 2 for d in (row - far_row, column - far_column))
                    scores[other] += attention.table[head, down, right]
                content = torch.softmax(scores, dim=0) @ value[picture, :, part]
                square = near[picture, row : row + 5, column : column + 5, part]  # (5, 5, each)
                local = (square * attention.near.weight[part, 0].permute(1, 2, 0)).sum((0, 1))
                local = attention.near_mix.weight[part, :, 0, 0] @ (local + attention.near.bias[part])
                mixed[picture, index, part] = content + local + attention.near_mix.bias[part]
    wanted = mixed @ attention.project.weight.T + attention.project.bias
    torch.testing.assert_close(attention(x), wanted.reshape(x.shape), rtol=0, atol=1e-10)


def test_feed_forward_is_its_equation() -> None:
    part = lively(LocalFeedForward(3, 5))
    x = noise(2, 4, 6, 3)

    def gelu(values: Tensor) -> Tensor:
        return 0.5 * values * (1 + torch.erf(values / 2**0.5))

    hidden = gelu(x @ part.widen.weight.T + part.widen.bias)  # (B, H, W, 5)
    near = F.conv2d(hidden.movedim(-1, 1), part.depthwise.weight, part.depthwise.bias, padding=1, groups=5)
    wanted = (hidden + gelu(near.movedim(1, -1))) @ part.narrow.weight.T + part.narrow.bias
    torch.testing.assert_close(part(x), wanted, rtol=0, atol=1e-10)


def test_windows_are_squares_of_neighbours() -> None:
    x = noise(2, 16, 24, 3)
    windows = to_windows(x, 8)
    assert windows.shape == (2, 2, 3, 8, 8, 3)
    assert torch.equal(windows[1, 1, 2], x[1, 8:16, 16:24])
    assert torch.equal(from_windows(windows), x)


def test_window_block_attends_within_windows() -> None:
    block = lively(WindowBlock(4, heads=2))
    x = noise(1, 16, 24, 4)
    mixed = x.clone()
    for row in (0, 8):
        for column in (0, 8, 16):
            place = (slice(None), slice(row, row + 8), slice(column, column + 8))
            mixed[place] += block.attention(block.norm1(x[place]))
    wanted = mixed + block.feed_forward(block.norm2(mixed))
    torch.testing.assert_close(block(x), wanted, rtol=0, atol=1e-10)


def test_spatial_block_attends_between_windows() -> None:
    """One channel at a time: a token is a window of it, row by row."""
    block = lively(SpatialBlock(3, heads=2, reach=2, hidden=5))
    x = noise(2, 16, 24, 3)
    mixed = x.clone()
    for channel in range(3):
        tokens = torch.stack(
            [
                torch.stack(
                    [x[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8, channel] for column in range(3)], 1
                )
                for row in range(2)
            ],
            dim=1,
        )  # (B, 2, 3, 8, 8)
        answer = block.attention(tokens.flatten(3)).unflatten(-1, (8, 8))  # (B, 2, 3, 8, 8)
        for row in range(2):
            for column in range(3):
                mixed[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8, channel] += answer[:, row, column]
    wanted = mixed + block.feed_forward(block.norm(mixed))
    torch.testing.assert_close(block(x), wanted, rtol=0, atol=1e-10)


def test_the_network_sees_all_of_a_picture_larger_than_its_crops() -> None:
    network = lively(idt_small(width=4))
    x = noise(1, 3, 128, 192)
    changed = x.clone()
    changed[..., -1, -1] += 1
    assert ((network(changed) - network(x))[..., 0, 0] != 0).all()


def test_trains_in_autocast() -> None:
    torch.manual_seed(0)
    network = idt_small(width=8)
    nn.init.normal_(network.ending.weight, 0, 0.1)  # zeros let no gradient through
    with torch.autocast("cpu", torch.bfloat16):
        y = network(torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last))
    assert y.dtype == torch.float32
    y.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: idt(crop=100), "give a crop that is a multiple of 128 pixels, not 100"),
        (lambda: idt(crop=0), "give a crop that is a multiple of 128 pixels, not 0"),
        (lambda: idt_small(crop=96), "give a crop that is a multiple of 64 pixels, not 96"),
        (lambda: idt_small(width=0), "give width, fold, hidden and blocks from 1, not 0, 2, 128 and"),
        (lambda: idt_small(blocks=0), r"not 24, 2, 128 and \(0, 0, 1, 0, 0\)"),
        (
            lambda: IDT(width=8, encoder=(1, 1), middle=1, decoder=(1,), crop=64, hidden=8),
            "encoder and decoder need equally many levels, not 2 and 1",
        ),
        (
            lambda: PositionEnhancedAttention(6, heads=4, reach=2),
            "give heads that divide the 6 channels and a reach from 1, not 4 and 2",
        ),
    ],
)
def test_impossible_options(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
