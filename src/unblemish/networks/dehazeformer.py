"""DehazeFormer: a U-shaped transformer for haze, most of whose blocks only convolve.

Source: Song, He, Qian, Du, "Vision Transformers for Single Image Dehazing", IEEE TIP 2023 (arXiv 2204.03883):
RescaleNorm, attention in mirrored windows beside a convolution of its values, fusion of the skips by selective
kernels, soft reconstruction J = K I - B + I. Depths, widths, heads, places of the attention and initialisation are
those of the authors' code.

Deviations:
- Pictures come and go in [0, 1]; inside, all is computed on [-1, 1] as published. There K u - B + u with u = 2x - 1 is
  x + (K u - B) / 2 here.
- Queries, keys and values come from one convolution, not two; each part starts as published.
- One bias is gone that no picture depends on, see `reflection_attention`: 32, 56 and 112 parameters of T, S and B. The
  biases of the keys are as idle and stay, a third of a tensor whose rest is not.
- The padding of a picture to multiples of four is the base class's. Levels of fewer pixels than a convolution pads
  are mirrored over and over.
- Statistics of RescaleNorm pass on their gradient, as in the authors' code, where cutting it off is an option left
  unused.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.reflection_attention import WindowAttention, mirror

WINDOW = 8
"""Side of the attention's windows, pixels of their level."""

HEADS = (2, 4, 6)
"""Of the three levels, from fine to coarse."""

EXPANSIONS = (2, 4, 4, 2, 2)
"""Hidden channels over channels in the five stages' pointwise parts."""


class RescaleNorm(nn.Module):
    """Normalises each picture over all its channels and pixels, and gives back what that took away, projected.

    With mean m and deviation s: (x - m) / s * weight + bias; s * scale_weight + scale_bias; m * shift_weight +
    shift_bias. The latter two are for the result of what follows the norm, so that brightness and contrast, which
    haze changes, get past it.

    Args:
        channels: C.
    """

    eps = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale_weight = nn.Parameter(torch.empty(channels, 1, 1).normal_(0, 0.02))
        self.scale_bias = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift_weight = nn.Parameter(torch.empty(channels, 1, 1).normal_(0, 0.02))
        self.shift_bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`(B, C, H, W)` to the normalised picture, a factor and a summand, `(B, C, 1, 1)` both."""
        variance, mean = torch.var_mean(x.float(), dim=(1, 2, 3), correction=0, keepdim=True)  # (B, 1, 1, 1) each
        deviation = torch.sqrt(variance + self.eps)
        scale = deviation * self.scale_weight + self.scale_bias
        shift = mean * self.shift_weight + self.shift_bias
        normalised = F.group_norm(x, 1, self.weight, self.bias, self.eps)
        return normalised, scale.to(x.dtype), shift.to(x.dtype)


class Aggregation(nn.Module):
    """Values convolved depthwise with 5x5 pixels, and attended to in windows where there are heads; then projected.

    Args:
        channels: C.
        heads: Attention heads; 0 leaves the convolution alone.
        shift: See `WindowAttention`.
    """

    def __init__(self, channels: int, heads: int, shift: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, 3 * channels if heads else channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 5, groups=channels)
        self.attention = WindowAttention(channels, heads, WINDOW, shift) if heads else None
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        height, width = x.shape[-2:]
        joined = self.expand(x)  # (B, 3C, H, W) with attention: queries, keys, values; (B, C, H, W) without
        value = joined[:, -x.shape[1] :]
        mixed = self.depthwise(mirror(value, 2, height + 4, width + 4))
        if self.attention is not None:
            mixed = mixed + self.attention(joined)
        return self.project(mixed)


class DehazeFormerBlock(nn.Module):
    """Spatial aggregation, then a pointwise part, both around an identity; a norm before attention only.

    Args:
        channels: C.
        expansion: Hidden channels of the pointwise part over channels.
        heads: See `Aggregation`.
        shift: See `WindowAttention`.
    """

    def __init__(self, channels: int, expansion: int, heads: int, shift: int) -> None:
        super().__init__()
        self.norm = RescaleNorm(channels) if heads else None
        self.aggregation = Aggregation(channels, heads, shift)
        self.widen = nn.Conv2d(channels, expansion * channels, 1)
        self.narrow = nn.Conv2d(expansion * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        if self.norm is None:
            x = x + self.aggregation(x)
        else:
            normalised, scale, shift = self.norm(x)
            x = x + (self.aggregation(normalised) * scale + shift)
        return x + self.narrow(F.relu(self.widen(x)))


class SelectiveFusion(nn.Module):
    """Weighs two pictures against each other, channel by channel, by what both show on average.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 8, 4)
        self.squeeze = nn.Conv2d(channels, hidden, 1, bias=False)
        self.weigh = nn.Conv2d(hidden, 2 * channels, 1, bias=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """`(B, C, H, W)` twice to the same."""
        average = (first + second).mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
        scores = self.weigh(F.relu(self.squeeze(average))).unflatten(1, (2, -1))  # (B, 2, C, 1, 1)
        weights = torch.softmax(scores, dim=1)
        return first * weights[:, 0] + second * weights[:, 1]


class DehazeFormer(Network):
    """Two encoder stages, a middle and two decoder stages on three levels, with soft reconstruction.

    Args:
        width: Channels of the first level; each level below has twice as many.
        blocks: Blocks of the five stages in the order they run.
        attention: How many of them attend, the last ones of each stage; windows of every other block are shifted.
    """

    size_multiple = 4

    def __init__(
        self, *, width: int, blocks: tuple[int, int, int, int, int], attention: tuple[int, int, int, int, int]
    ) -> None:
        super().__init__()
        if width < 6 or width % 6:
            raise ValueError(f"give a width that is a multiple of 6, so that heads share its channels, not {width}")
        if any(not 0 <= attending <= count for attending, count in zip(attention, blocks, strict=True)):
            raise ValueError(f"give each stage between no and all of its blocks attention, not {attention} of {blocks}")

        def stage(index: int, level: int) -> nn.Sequential:
            count, plain = blocks[index], blocks[index] - attention[index]
            heads = [0 if place < plain else HEADS[level] for place in range(count)]
            shifts = [place % 2 * (WINDOW // 2) for place in range(count)]
            parts = (width * 2**level, EXPANSIONS[index])
            return nn.Sequential(*(DehazeFormerBlock(*parts, *own) for own in zip(heads, shifts, strict=True)))

        self.embed = nn.Conv2d(self.channels, width, 3)
        self.encoders = nn.ModuleList(stage(level, level) for level in (0, 1))
        self.downs = nn.ModuleList(_halve(width * 2**level) for level in (0, 1))
        self.middle = stage(2, 2)
        self.ups = nn.ModuleList(_double(width * 2**level) for level in (1, 0))
        self.bridges = nn.ModuleList(nn.Conv2d(width * 2**level, width * 2**level, 1) for level in (1, 0))
        self.fusions = nn.ModuleList(SelectiveFusion(width * 2**level) for level in (1, 0))
        self.decoders = nn.ModuleList(stage(3 + 1 - level, level) for level in (1, 0))
        self.ending = nn.Conv2d(width, 1 + self.channels, 3)
        for block in (part for part in self.modules() if isinstance(part, DehazeFormerBlock)):
            _start(block, (8 * sum(blocks)) ** -0.25)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same, H and W multiples of 4."""
        height, width = x.shape[-2] + 2, x.shape[-1] + 2
        signed = 2 * x.to(self.embed.weight.dtype) - 1  # from [0, 1] to [-1, 1]
        y = self.embed(mirror(signed, 1, height, width))  # (B, width, H, W)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            y = encoder(y)
            skips.append(y)
            y = down(y)
        y = self.middle(y)
        rising = zip(self.ups, self.bridges, self.fusions, self.decoders, reversed(skips), strict=True)
        for up, bridge, fusion, decoder, skip in rising:
            y = up(y)
            y = decoder(fusion(y, bridge(skip)) + y)
        y = self.ending(mirror(y, 1, height, width))  # (B, 1 + 3, H, W)
        return x + soft_residual(y, signed) / 2  # back to [0, 1], which is half as wide


def soft_residual(terms: Tensor, picture: Tensor) -> Tensor:
    """K I - B: what soft reconstruction adds to a picture I.

    Args:
        terms: K and B, `(B, 1 + 3, H, W)`.
        picture: I, `(B, 3, H, W)`.
    """
    return terms[:, :1] * picture - terms[:, 1:]


def _start(block: DehazeFormerBlock, size: float) -> None:
    """As published: no biases; weights normal, of Xavier's deviation times `size`, but for queries and keys."""
    for convolution in (part for part in block.modules() if isinstance(part, nn.Conv2d)):
        nn.init.xavier_normal_(convolution.weight, gain=size)
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
    if block.aggregation.attention is not None:
        joined = block.aggregation.expand.weight
        nn.init.xavier_normal_(joined[: -joined.shape[1]])
        nn.init.xavier_normal_(joined[-joined.shape[1] :], gain=size)


def _halve(channels: int) -> nn.Conv2d:
    """`(B, C, H, W)` to `(B, 2C, H / 2, W / 2)`."""
    return nn.Conv2d(channels, 2 * channels, 2, stride=2)


def _double(channels: int) -> nn.Sequential:
    """`(B, 2C, H, W)` to `(B, C, 2H, 2W)`."""
    return nn.Sequential(nn.Conv2d(2 * channels, 4 * channels, 1), nn.PixelShuffle(2))


def _proportioned(width: int, blocks: int, quarters: tuple[int, int, int]) -> DehazeFormer:
    """Equally many blocks in the first three stages, half as many in the decoder; attention in quarters of them."""
    if blocks < 2 or blocks % 2:
        raise ValueError(f"give an even number of blocks from 2, as the decoder has half as many, not {blocks}")
    first, second, middle = (quarter * blocks // 4 for quarter in quarters)
    halved = blocks // 2
    return DehazeFormer(
        width=width, blocks=(blocks, blocks, blocks, halved, halved), attention=(first, second, middle, 0, 0)
    )


def dehazeformer_t(*, width: int = 24, blocks: int = 4) -> DehazeFormer:
    """Tiny, as published but for 32 idle biases: 687,372 parameters."""
    return _proportioned(width, blocks, (0, 2, 4))


def dehazeformer_s(*, width: int = 24, blocks: int = 8) -> DehazeFormer:
    """Small, as published but for 56 idle biases: 1,284,828 parameters."""
    return _proportioned(width, blocks, (1, 2, 3))


def dehazeformer_b(*, width: int = 24, blocks: int = 16) -> DehazeFormer:
    """Base, as published but for 112 idle biases: 2,517,500 parameters."""
    return _proportioned(width, blocks, (1, 2, 3))
