from __future__ import annotations

import pytest
import torch

from unblemish.networks.nafnet import ChannelAttention, ChannelNorm, NAFNet, nafnet_compact, simple_gate


def test_norm_is_over_the_channels() -> None:
    norm = ChannelNorm(8).double()
    torch.nn.init.uniform_(norm.weight)
    torch.nn.init.uniform_(norm.bias)
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    centred = x - x.mean(1, keepdim=True)
    wanted = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(norm(x), wanted * norm.weight[:, None, None] + norm.bias[:, None, None])


def test_gate_and_attention() -> None:
    x = torch.randn(2, 6, 3, 5)
    torch.testing.assert_close(simple_gate(x), x[:, :3] * x[:, 3:])
    attention = ChannelAttention(6)
    scales = x.mean((2, 3)) @ attention.project.weight[:, :, 0, 0].T + attention.project.bias
    torch.testing.assert_close(attention(x), x * scales[:, :, None, None])


def test_starts_as_blocks_without_effect() -> None:
    """Beta and gamma start at zero, so that only the outer convolutions act at first (paper, supplement)."""
    network = nafnet_compact()
    block = network.encoders[0]
    x = torch.randn(1, 48, 4, 4)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("attention", [True, False])
def test_declares_what_it_needs(fold: int, attention: bool) -> None:
    network = NAFNet(width=4, encoder=(1, 1), middle=1, decoder=(1, 1), fold=fold, attention=attention)
    assert network.size_multiple == 4 * fold
    assert network.tiles_are_exact is not attention
    assert network(torch.rand(1, 3, 9, 6)).shape == (1, 3, 9, 6)


def test_unequal_levels() -> None:
    with pytest.raises(ValueError, match="equally many levels, not 2 and 1"):
        NAFNet(width=4, encoder=(1, 1), middle=1, decoder=(1,))
