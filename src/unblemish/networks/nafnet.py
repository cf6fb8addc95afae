"""NAFNet: a U-shaped restorer without activation functions.

Source: Chen, Chu, Zhang, Sun, "Simple Baselines for Image Restoration", ECCV 2022; block of Fig. 3c, SimpleGate of
Eq. 6, simplified channel attention of Eq. 5.

Deviations: the compact variant folds the picture by two before the first convolution, so that no block runs at full
resolution, and adds its residual to the full picture as the original does. Everything else follows the paper; the
paper's test-time local pooling is not used, tiles take its place.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every pixel of `(B, C, H, W)`, with gain and bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises; in channels_last memory both permutations are free."""
        x = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        x = F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-6)
        return x.permute(0, 3, 1, 2)  # (B, C, H, W)


def simple_gate(x: Tensor) -> Tensor:
    """Product of the two halves of the channels: `(B, 2C, H, W)` to `(B, C, H, W)` (Eq. 6)."""
    first, second = x.chunk(2, dim=1)
    return first * second


class ChannelAttention(nn.Module):
    """Scales each channel by a linear function of all channels' means over the picture (Eq. 5)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        return x * self.project(x.mean(dim=(2, 3), keepdim=True))


class NAFBlock(nn.Module):
    """Depthwise convolution with gate and channel attention, then a gated pointwise part, both residual (Fig. 3c)."""

    def __init__(self, channels: int, *, attention: bool) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.attention = ChannelAttention(channels) if attention else nn.Identity()
        self.project = nn.Conv2d(channels, channels, 1)
        self.norm2 = ChannelNorm(channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y = simple_gate(self.depthwise(self.expand(self.norm1(x))))
        x = x + self.beta * self.project(self.attention(y))
        return x + self.gamma * self.narrow(simple_gate(self.widen(self.norm2(x))))


class NAFNet(Network):
    """Encoder, middle and decoder of NAF blocks with added skips and a residual over the whole picture.

    Args:
        width: Channels of the first level; each level below has twice as many.
        encoder: Blocks of each encoder level, from fine to coarse.
        middle: Blocks at the coarsest level.
        decoder: Blocks of each decoder level, from coarse to fine.
        fold: Side of the pixel squares folded into channels before the first convolution; 1 is the published network.
        attention: Whether blocks attend to channel means over the whole picture, as published.
    """

    def __init__(
        self,
        *,
        width: int,
        encoder: tuple[int, ...],
        middle: int,
        decoder: tuple[int, ...],
        fold: int = 1,
        attention: bool = True,
    ) -> None:
        super().__init__()
        if len(encoder) != len(decoder):
            raise ValueError(f"encoder and decoder need equally many levels, not {len(encoder)} and {len(decoder)}")
        folded = self.channels * fold**2
        self.fold = fold
        self.intro = nn.Conv2d(folded, width, 3, padding=1)
        self.encoders, self.downs = nn.ModuleList(), nn.ModuleList()
        for level, blocks in enumerate(encoder):
            channels = width * 2**level
            self.encoders.append(naf_blocks(channels, blocks, attention=attention))
            self.downs.append(nn.Conv2d(channels, 2 * channels, 2, stride=2))
        self.middle = naf_blocks(width * 2 ** len(encoder), middle, attention=attention)
        self.ups, self.decoders = nn.ModuleList(), nn.ModuleList()
        for level, blocks in zip(reversed(range(len(encoder))), decoder, strict=True):
            channels = width * 2**level
            up = nn.Conv2d(2 * channels, 4 * channels, 1, bias=False)
            self.ups.append(nn.Sequential(up, nn.PixelShuffle(2)))
            self.decoders.append(naf_blocks(channels, blocks, attention=attention))
        self.ending = nn.Conv2d(width, folded, 3, padding=1)
        self.size_multiple = fold * 2 ** len(encoder)
        self.receptive_field = None if attention else reach(fold, encoder, middle, decoder)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same, H and W multiples of `size_multiple`."""
        folded = F.pixel_unshuffle(x.to(self.intro.weight.dtype), self.fold)  # (B, 3 * fold^2, H / fold, W / fold)
        y = self.intro(folded)  # (B, width, H / fold, W / fold)
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            y = blocks(y)
            skips.append(y)
            y = down(y)
        y = self.middle(y)
        for up, blocks, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            y = blocks(up(y) + skip)
        return x + F.pixel_shuffle(self.ending(y), self.fold)


def naf_blocks(channels: int, count: int, *, attention: bool) -> nn.Sequential:
    """So many NAF blocks in a row, `(B, channels, H, W)` to the same."""
    return nn.Sequential(*(NAFBlock(channels, attention=attention) for _ in range(count)))


def reach(fold: int, encoder: tuple[int, ...], middle: int, decoder: tuple[int, ...]) -> int:
    """Input pixels an output pixel can see on each side: one 3x3 kernel a block, at the stride of its level.

    Folding, each halving and each doubling widen the view by at most the pixels of one cell of the coarser grid.
    """
    levels = len(encoder)
    convolutions = (
        2 * fold
        + sum(blocks * fold * 2**level for level, blocks in enumerate((*encoder, middle)))
        + sum(blocks * fold * 2**level for level, blocks in zip(reversed(range(levels)), decoder, strict=True))
    )
    return convolutions + fold * 2**levels - 1


def nafnet() -> NAFNet:
    """Width 32 as published for denoising on SIDD: 36 blocks, 29.16 million parameters."""
    return NAFNet(width=32, encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2))


def nafnet_deblur() -> NAFNet:
    """Width 32 as published for deblurring on GoPro: 36 blocks, 17.11 million parameters."""
    return NAFNet(width=32, encoder=(1, 1, 1, 28), middle=1, decoder=(1, 1, 1, 1))


def nafnet_compact(*, width: int = 48, levels: int = 2, blocks: int = 2, middle: int = 4) -> NAFNet:
    """For CPUs: folded by two, no attention; 1,399,260 parameters as it stands.

    Without attention over the whole picture its receptive field is finite, so that tiles leave no seams.
    """
    each = (blocks,) * levels
    return NAFNet(width=width, encoder=each, middle=middle, decoder=each, fold=2, attention=False)
