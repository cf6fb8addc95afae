"""SwinIR: convolutions around transformer layers that attend within shifted windows; two or four times larger.

Source: Liang et al., "SwinIR: Image Restoration Using Swin Transformer", ICCVW 2021 (arXiv 2108.10257), Fig. 2;
residual Swin transformer block of Fig. 2a, transformer layer of Fig. 2b; the published lightweight and classical
super-resolution networks.

Deviations: none in what is computed. As in the published program, the mean colour of DIV2K is taken out before the
first layer and put back after the last, the last layer makes the picture itself, not a residual to an enlarged one,
and in training whole branches are dropped at random. The picture therefore carries the precision of the weights;
only the mean is added in the picture's own. Windows are always of 8x8 pixels, pictures are padded to them.
Layers carry the names of the published weights, which load once their index tables and masks are left out.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.window_attention import WINDOW, WindowAttention

MEAN = (4488, 4371, 4040)
"""Mean red, green and blue of DIV2K in ten-thousandths: whole numbers are not rounded with the weights."""

FEATURES = 64
"""Channels of the enlarging convolutions, where there are several."""

DROPPED = 0.1
"""Chance that the deepest branch is dropped in training; it falls to 0 towards the first."""


class SwinLayer(nn.Module):
    """Attention, then feed-forward, both after a normalisation and around an identity (Fig. 2b).

    In training a branch is left out of a picture of the batch with a chance of `dropped`, and the others are
    scaled up to make up for it; torch's global generator draws.

    Args:
        width: Channels.
        heads: Attention heads.
        shifted: See `WindowAttention`.
        dropped: From 0 to under 1.
    """

    def __init__(self, width: int, heads: int, *, shifted: bool, dropped: float) -> None:
        super().__init__()
        self.dropped = dropped
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, shifted=shifted)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(fc1=nn.Linear(width, 2 * width), gelu=nn.GELU(), fc2=nn.Linear(2 * width, width))
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, width)` to the same, H and W multiples of the window."""
        x = x + self._drop(self.attn(self.norm1(x)))
        return x + self._drop(self.mlp(self.norm2(x)))

    def _drop(self, branch: Tensor) -> Tensor:
        if not (self.training and self.dropped):
            return branch
        return branch * F.dropout(branch.new_ones(len(branch), 1, 1, 1), self.dropped)  # (B, H, W, width)


class ResidualSwinBlock(nn.Module):
    """Swin layers, every second one shifted, and a 3x3 convolution, around an identity (Fig. 2a).

    Args:
        width: Channels.
        heads: Attention heads.
        dropped: Of each layer, see `SwinLayer`; there are as many layers.
    """

    def __init__(self, width: int, heads: int, dropped: list[float]) -> None:
        super().__init__()
        layers = (SwinLayer(width, heads, shifted=i % 2 == 1, dropped=chance) for i, chance in enumerate(dropped))
        self.residual_group = nn.Sequential(OrderedDict(blocks=nn.Sequential(*layers)))
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, width)` to the same, H and W multiples of the window."""
        y = self.residual_group(x).permute(0, 3, 1, 2)  # (B, width, H, W)
        return x + self.conv(y).permute(0, 2, 3, 1)  # (B, H, W, width)


class SwinIR(Network):
    """Convolution, residual Swin blocks around an identity, enlargement.

    Args:
        width: Channels throughout.
        blocks: Residual Swin blocks.
        layers: Transformer layers of each block.
        heads: Attention heads of each layer; must divide the width.
        scale: 2 or 4.
        direct: Whether one convolution makes the enlarged picture, as in the lightweight network; else the picture
            is enlarged twofold as often as it takes, and a convolution follows.
    """

    size_multiple = WINDOW
    mean: Tensor

    def __init__(self, *, width: int, blocks: int, layers: int, heads: int, scale: int, direct: bool) -> None:
        super().__init__()
        if min(width, blocks, layers, heads) < 1:
            raise ValueError(
                f"give width, blocks, layers and heads from 1, not {width}, {blocks}, {layers} and {heads}"
            )
        if width % heads:
            raise ValueError(
                f"give a width that its {heads} heads divide, as {-(-width // heads) * heads}, not {width}"
            )
        if scale not in (2, 4):
            raise ValueError(f"give scale 2 or 4, not {scale}")
        self.scale = scale
        count = blocks * layers
        dropped = [DROPPED * i / max(1, count - 1) for i in range(count)]
        self.conv_first = nn.Conv2d(self.channels, width, 3, padding=1)
        self.patch_embed = nn.Sequential(OrderedDict(norm=nn.LayerNorm(width)))
        self.layers = nn.Sequential(
            *(ResidualSwinBlock(width, heads, dropped[i : i + layers]) for i in range(0, count, layers))
        )
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        if direct:
            self.conv_before_upsample = self.conv_last = nn.Identity()
            self.upsample = nn.Sequential(*_enlarge(width, self.channels, scale))
        else:
            self.conv_before_upsample = nn.Sequential(nn.Conv2d(width, FEATURES, 3, padding=1), nn.LeakyReLU())
            doublings = scale.bit_length() - 1
            self.upsample = nn.Sequential(*(part for _ in range(doublings) for part in _enlarge(FEATURES, FEATURES, 2)))
            self.conv_last = nn.Conv2d(FEATURES, self.channels, 3, padding=1)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(self.channels, 1, 1), persistent=False)
        self.apply(_start)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to `(B, 3, scale * H, scale * W)`, H and W multiples of the window."""
        mean = self.mean.to(x.dtype) / 10_000
        first = self.conv_first((x - mean).to(self.conv_first.weight.dtype))  # (B, width, H, W)
        y = self.layers(self.patch_embed(first.permute(0, 2, 3, 1)))  # (B, H, W, width)
        y = self.conv_after_body(self.norm(y).permute(0, 3, 1, 2))  # (B, width, H, W)
        y = self.upsample(self.conv_before_upsample(first + y))
        return mean + self.conv_last(y)


def _enlarge(width: int, out: int, times: int) -> tuple[nn.Conv2d, nn.PixelShuffle]:
    """`(B, width, H, W)` to `(B, out, times * H, times * W)`."""
    return nn.Conv2d(width, out * times**2, 3, padding=1), nn.PixelShuffle(times)


def _start(module: nn.Module) -> None:
    """Linear layers start small, as published, convolutions as is PyTorch's habit."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def swinir_light_x2(*, width: int = 60, blocks: int = 4, layers: int = 6, heads: int = 6) -> SwinIR:
    """The lightweight network for pictures twice as large: 910,152 parameters."""
    return SwinIR(width=width, blocks=blocks, layers=layers, heads=heads, scale=2, direct=True)


def swinir_light_x4(*, width: int = 60, blocks: int = 4, layers: int = 6, heads: int = 6) -> SwinIR:
    """The lightweight network for pictures four times as large: 929,628 parameters."""
    return SwinIR(width=width, blocks=blocks, layers=layers, heads=heads, scale=4, direct=True)


def swinir_x4(*, width: int = 180, blocks: int = 6, layers: int = 6, heads: int = 6) -> SwinIR:
    """The classical network for pictures four times as large: 11,900,199 parameters."""
    return SwinIR(width=width, blocks=blocks, layers=layers, heads=heads, scale=4, direct=False)
