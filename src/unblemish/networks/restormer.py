"""Restormer: a U-shaped transformer whose attention runs across channels.

Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration", CVPR 2022
(arXiv 2111.09881), Fig. 2; multi-Dconv head transposed attention of Eq. 1, gated-Dconv feed-forward network
of Eq. 2.

Deviations: none in what is computed. Queries and keys are not normalised before their product; the product is
divided by their lengths instead, in float32, which is the same number with two full-size copies fewer.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network


class PixelNorm(nn.Module):
    """Layer normalisation over the channels of every pixel of `(B, C, H, W)`.

    Args:
        channels: C.
        bias: Whether values are centred and shifted, as published for all tasks but denoising; without, they
            are only divided by their standard deviation and scaled.
    """

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalises; in channels_last memory both permutations are free."""
        x = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        if self.bias is not None:
            x = F.layer_norm(x, self.weight.shape, self.weight, self.bias, eps=1e-5)
        else:
            variance = x.float().var(dim=-1, correction=0, keepdim=True)  # (B, H, W, 1)
            x = x * torch.rsqrt(variance + 1e-5).to(x.dtype) * self.weight
        return x.permute(0, 3, 1, 2)  # (B, C, H, W)


class TransposedAttention(nn.Module):
    """Attention between channels, over all pixels; queries, keys and values see 3x3 pixels each (Eq. 1)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.expand = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.depthwise = _depthwise(3 * channels)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        joined = self.depthwise(self.expand(x)).unflatten(1, (3, self.heads, -1))  # (B, 3, heads, C / heads, H, W)
        query, key, value = joined.flatten(4).unbind(1)  # (B, heads, C / heads, H * W) each
        lengths = _lengths(query) * _lengths(key).transpose(-2, -1)  # (B, heads, C / heads, C / heads)
        likeness = (query @ key.transpose(-2, -1)).float() / lengths.clamp(min=1e-12)
        weights = torch.softmax(likeness * self.temperature.float(), dim=-1).to(value.dtype)
        mixed = (weights @ value).reshape(x.shape)  # (B, C, H, W)
        return self.project(mixed)


class GatedFeedForward(nn.Module):
    """Two depthwise branches, one of which gates the other through a GELU (Eq. 2)."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.expand = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.depthwise = _depthwise(2 * hidden)
        self.project = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        gate, content = self.depthwise(self.expand(x)).chunk(2, dim=1)
        return self.project(F.gelu(gate) * content)


class TransformerBlock(nn.Module):
    """Attention, then feed-forward, both after a normalisation and around an identity."""

    def __init__(self, channels: int, heads: int, expansion: float, norm_bias: bool) -> None:
        super().__init__()
        self.norm1 = PixelNorm(channels, bias=norm_bias)
        self.attention = TransposedAttention(channels, heads)
        self.norm2 = PixelNorm(channels, bias=norm_bias)
        self.feed_forward = GatedFeedForward(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class Restormer(Network):
    """Encoder, latent level, decoder and refinement of transformer blocks, with a residual over all of it.

    Skips are concatenated; a 1x1 convolution halves the channels again, but at full resolution, where the
    decoder and the refinement work on twice the channels.

    Args:
        dim: Channels of the first level; each level below has twice as many.
        blocks: Blocks of each level, from fine to coarse; the last level is the latent one.
        heads: Attention heads of each level; each must divide the channels of its level.
        refinement: Blocks at full resolution after the decoder.
        expansion: Hidden channels of the feed-forward parts over their channels.
        norm_bias: See `PixelNorm`.
    """

    def __init__(
        self,
        *,
        dim: int,
        blocks: tuple[int, ...],
        heads: tuple[int, ...],
        refinement: int,
        expansion: float,
        norm_bias: bool,
    ) -> None:
        super().__init__()

        def stage(channels: int, level: int, count: int) -> nn.Sequential:
            return nn.Sequential(
                *(TransformerBlock(channels, heads[level], expansion, norm_bias) for _ in range(count))
            )

        widths = [dim * 2**level for level in range(len(blocks))]
        latent = len(blocks) - 1
        self.size_multiple = 2**latent
        self.embed = nn.Conv2d(self.channels, dim, 3, padding=1, bias=False)
        self.encoders, self.downs = nn.ModuleList(), nn.ModuleList()
        self.ups, self.reductions, self.decoders = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in range(latent):
            self.encoders.append(stage(widths[level], level, blocks[level]))
            self.downs.append(_halve(widths[level]))
        self.latent = stage(widths[latent], latent, blocks[latent])
        for level in reversed(range(latent)):
            joined = 2 * widths[level]
            kept = widths[level] if level else joined
            self.ups.append(_double(joined))
            self.reductions.append(nn.Conv2d(joined, kept, 1, bias=False) if level else nn.Identity())
            self.decoders.append(stage(kept, level, blocks[level]))
        self.refinement = stage(2 * dim, 0, refinement)
        self.ending = nn.Conv2d(2 * dim, self.channels, 3, padding=1, bias=False)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same, H and W multiples of `size_multiple`."""
        y = self.embed(x.to(self.embed.weight.dtype))  # (B, dim, H, W)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            y = encoder(y)
            skips.append(y)
            y = down(y)
        y = self.latent(y)
        rising = zip(self.ups, self.reductions, self.decoders, reversed(skips), strict=True)
        for up, reduction, decoder, skip in rising:
            y = decoder(reduction(torch.cat([up(y), skip], dim=1)))
        return x + self.ending(self.refinement(y))


def _lengths(vectors: Tensor) -> Tensor:
    """Euclidean length of each channel over its pixels, float32: `(B, heads, c, N)` to `(B, heads, c, 1)`."""
    return torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=torch.float32)


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


def _halve(channels: int) -> nn.Sequential:
    """`(B, C, H, W)` to `(B, 2C, H / 2, W / 2)`."""
    return nn.Sequential(nn.Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _double(channels: int) -> nn.Sequential:
    """`(B, C, H, W)` to `(B, C / 2, 2H, 2W)`."""
    return nn.Sequential(nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2))


def restormer(*, norm_bias: bool = True) -> Restormer:
    """As published: 26,126,644 parameters; `norm_bias=False`, published for denoising, has 26,111,668."""
    return Restormer(dim=48, blocks=(4, 6, 6, 8), heads=(1, 2, 4, 8), refinement=4, expansion=2.66, norm_bias=norm_bias)


def restormer_small(*, norm_bias: bool = True) -> Restormer:
    """Half the channels and under half the blocks: 3,514,922 parameters."""
    return Restormer(dim=24, blocks=(2, 2, 2, 4), heads=(1, 2, 4, 8), refinement=2, expansion=2.66, norm_bias=norm_bias)
