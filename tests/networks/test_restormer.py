from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.networks.restormer import (
    GatedFeedForward,
    PixelNorm,
    Restormer,
    TransposedAttention,
    restormer,
    restormer_small,
)


def test_attention_is_equation_1() -> None:
    """Against the equation written out, one head and one picture at a time."""
    torch.manual_seed(0)
    attention = TransposedAttention(12, heads=3)
    torch.nn.init.uniform_(attention.temperature, 0.5, 2.0)
    x = torch.randn(2, 12, 6, 5)
    projected = F.conv2d(F.conv2d(x, attention.expand.weight), attention.depthwise.weight, padding=1, groups=36)
    mixed = torch.empty_like(x)
    for picture in range(2):
        for head in range(3):
            query, key, value = (
                projected[picture, part * 12 + head * 4 : part * 12 + head * 4 + 4].reshape(4, 30)  # (c, pixels)
                for part in range(3)
            )
            likeness = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T * attention.temperature[head]
            head_result = torch.softmax(likeness, dim=1) @ value
            mixed[picture, head * 4 : head * 4 + 4] = head_result.reshape(4, 6, 5)  # (c, H, W)
    wanted = F.conv2d(mixed, attention.project.weight)
    torch.testing.assert_close(attention(x), wanted, rtol=0, atol=1e-6)


def test_attention_bears_a_black_picture() -> None:
    attention = TransposedAttention(4, heads=2)
    x = torch.zeros(1, 4, 3, 3, requires_grad=True)
    y = attention(x)
    y.sum().backward()
    assert not y.any()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_feed_forward_is_equation_2() -> None:
    torch.manual_seed(0)
    part = GatedFeedForward(6, expansion=2.66)
    x = torch.randn(1, 6, 5, 4)
    hidden = F.conv2d(F.conv2d(x, part.expand.weight), part.depthwise.weight, padding=1, groups=30)
    gate, content = hidden[:, :15], hidden[:, 15:]
    gelu = 0.5 * gate * (1 + torch.erf(gate / 2**0.5))
    torch.testing.assert_close(part(x), F.conv2d(gelu * content, part.project.weight))


@pytest.mark.parametrize("bias", [True, False])
def test_norm(bias: bool) -> None:
    norm = PixelNorm(8, bias=bias).double()
    torch.nn.init.uniform_(norm.weight)
    shift: Tensor | float = 0.0
    if norm.bias is not None:
        shift = torch.nn.init.uniform_(norm.bias)[:, None, None]
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64) + 1
    mean = x.mean(1, keepdim=True)
    deviation = ((x - mean).square().mean(1, keepdim=True) + 1e-5).sqrt()
    wanted = (x - mean if bias else x) / deviation * norm.weight[:, None, None] + shift
    torch.testing.assert_close(norm(x), wanted, rtol=1e-5, atol=1e-6)


def test_without_norm_bias_nothing_shifts() -> None:
    """Without any bias the network scales with its input, but for epsilons: the variant's reason."""
    assert not [key for key, _ in restormer(norm_bias=False).named_parameters() if key.endswith("bias")]
    assert restormer(norm_bias=False).parameter_count == 26_111_668
    assert restormer_small().parameter_count == 3_514_922


def test_full_resolution_keeps_both_halves_of_the_skip() -> None:
    network = Restormer(dim=8, blocks=(1, 1, 1), heads=(1, 2, 4), refinement=1, expansion=2.0, norm_bias=True)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items() if "reductions" in key}
    assert shapes == {"reductions.0.weight": (16, 32, 1, 1)}
    assert network.ending.in_channels == 16
    assert network.size_multiple == 4
