"""FFA-Net: a dehazer that weighs channels, pixels and the depth of its features.

Source: Qin et al., "FFA-Net: Feature Fusion Attention Network for Single Image Dehazing", AAAI 2020 (arXiv
1911.07559): feature attention, basic block, groups and their fusion; kernels, bottlenecks and normalisation from the
authors' code, which the paper's 36.39 dB come from.

The published arithmetic adds the residual to the *normalised* hazy picture and compares the sum with a clear picture in
[0, 1]: the last layers learn to undo the normalisation besides removing haze. `ffanet` keeps that, or published weights
and scores would mean nothing. It costs the promise of `Network` that what needs no change comes back unrounded: the
skip is added in the picture's own dtype, but even a clean picture comes back only through a residual of up to four
units, of which bfloat16 weights keep 8 bits; that alone is an error of 50 dB.

Deviations: none in the layers of `ffanet`. `ffanet_small` takes the sum out of the normalisation again, which leaves
the picture plus the residual times the deviation: it keeps the promise, and starts near its input instead of learning
that first. Networks narrower than the published one keep its bottlenecks of 8 and 4 units: fewer may all start dead.
Layers carry the names of the published weights, so that those load as they are.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network

MEAN = (0.64, 0.6, 0.58)
"""Of red, green and blue, by which hazy pictures are normalised."""

DEVIATION = (0.14, 0.15, 0.152)
"""Standard deviations of red, green and blue, likewise."""

GROUPS = 3
"""Whose results are fused, as published."""


class ChannelAttention(nn.Module):
    """Weighs each channel by all channels' means over the picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ca = nn.Sequential(*_weights(width, max(8, width // 8), width))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return x * self.ca(x.mean(dim=(2, 3), keepdim=True))


class PixelAttention(nn.Module):
    """Weighs each pixel, all its channels alike, by its channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pa = nn.Sequential(*_weights(width, max(8, width // 8), 1))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return x * self.pa(x)


class Block(nn.Module):
    """Two 3x3 convolutions, each around or before an identity of the block's input, and both attentions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _convolution(width, width)
        self.conv2 = _convolution(width, width)
        self.calayer = ChannelAttention(width)
        self.palayer = PixelAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        y = self.conv2(F.relu(self.conv1(x)) + x)
        return x + self.palayer(self.calayer(y))


class Group(nn.Module):
    """Blocks and a convolution, around an identity."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.gp = nn.Sequential(*(Block(width) for _ in range(blocks)), _convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return x + self.gp(x)


class FFANet(Network):
    """Convolution, three groups in a row, the weighted sum of their results, two convolutions, residual.

    Weights start as PyTorch draws them, as in the published code.

    Args:
        blocks: Blocks of each group.
        width: Channels throughout.
        denormalise: Whether the sum of picture and residual is taken out of the normalisation; not so as published.

    Raises:
        ValueError: There is no such network.
    """

    def __init__(self, *, blocks: int, width: int, denormalise: bool) -> None:
        super().__init__()
        if blocks < 1 or width < 1:
            raise ValueError(f"give blocks and width from 1, not {blocks} and {width}")
        self.denormalise = denormalise
        self.pre = nn.Sequential(_convolution(self.channels, width))
        self.g1, self.g2, self.g3 = (Group(width, blocks) for _ in range(GROUPS))
        fused = GROUPS * width
        self.ca = nn.Sequential(nn.AdaptiveAvgPool2d(1), *_weights(fused, max(4, width // 16), fused))
        self.palayer = PixelAttention(width)
        self.post = nn.Sequential(_convolution(width, width), _convolution(width, self.channels))

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same."""
        y = self.pre(_normalised(x.to(self.pre.get_parameter("0.weight").dtype)))  # (B, width, H, W)
        first = self.g1(y)
        second = self.g2(first)
        third = self.g3(second)
        weights = self.ca(torch.cat([first, second, third], dim=1)).chunk(GROUPS, dim=1)  # (B, width, 1, 1) each
        y = weights[0] * first + weights[1] * second + weights[2] * third
        residual = self.post(self.palayer(y)).to(x.dtype)
        return x + _times_deviation(residual) if self.denormalise else _normalised(x) + residual


def _normalised(x: Tensor) -> Tensor:
    """`(B, 3, H, W)` to the same; colour by colour, since a buffer would be rounded with the weights."""
    colours = zip(x.unbind(1), MEAN, DEVIATION, strict=True)
    return torch.stack([(colour - mean) / deviation for colour, mean, deviation in colours], dim=1)


def _times_deviation(x: Tensor) -> Tensor:
    """`(B, 3, H, W)` to the same."""
    return torch.stack([colour * deviation for colour, deviation in zip(x.unbind(1), DEVIATION, strict=True)], dim=1)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _weights(inputs: int, hidden: int, outputs: int) -> tuple[nn.Module, ...]:
    """Weights between 0 and 1 through a bottleneck, for each pixel of `(B, inputs, H, W)`."""
    return nn.Conv2d(inputs, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, outputs, 1), nn.Sigmoid()


def ffanet(*, blocks: int = 19, width: int = 64) -> FFANet:
    """As published: 3 groups of 19 blocks, 64 channels; 4,455,913 parameters."""
    return FFANet(blocks=blocks, width=width, denormalise=False)


def ffanet_small(*, blocks: int = 3, width: int = 32) -> FFANet:
    """For CPUs: 3 groups of 3 blocks, 32 channels; 213,785 parameters."""
    return FFANet(blocks=blocks, width=width, denormalise=True)
