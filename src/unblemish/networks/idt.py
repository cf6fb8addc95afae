"""IDT: a U-shaped transformer against rain, whose attention alternates between windows and the whole picture.

Source: Xiao, Fu, Liu, Wu, Zha, "Image De-raining Transformer", IEEE TPAMI 2022 (early access; volume 45, 2023).

Facts, from the authors' public release (jiexiaou/IDT, MIT), written anew: five levels of 32 to 512 channels, where the
decoder joins skips by concatenation and keeps both halves; windows of 8x8; window blocks per stage 3, 3, 2, 2 - 1 -
1, 2, 2, 3, each stage but the coarsest ended by one spatial block; heads of 32 channels; feed-forward parts four times
as wide as a token, which is 256 channels in every spatial block; no normalisation before spatial attention; position
tables of windows and of a 128x128 crop; 5x5 local kernels, 3x3 where the crop has only 2x2 windows; 4x4 strided and
2x2 transposed convolutions between levels; how weights are drawn.
Inferred: that the release is the network of the paper, whose text we did not have. The release has 16,416,463
parameters for pictures of 128x128, as `idt` has: the 16.41 or 16.42 million that later papers print.
All numbers of `idt_small` are ours.

Deviations: the release takes 128x128 crops only and stitches pictures from them. Here spatial attention runs over the
windows of a picture of any size; offsets between windows that no crop holds share the outermost entry of their table.
What it finds is put back to where each window lies; the release adds it, in the order of windows, to pixels in the
order of rows.
Above the size of the crop, time and memory grow with the square of the number of windows: tile large pictures.
No stochastic depth (0.1 in the release), so that a training step depends on weights and batch alone.
The small variant folds the picture by two before the first convolution, so that no block runs at full resolution,
and starts as the identity, its last convolution at zero: one run of 400 steps, with two blocks a stage, got 0.7 dB
farther so.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.idt_attention import PositionEnhancedAttention, from_windows, to_windows

WINDOW = 8
"""Side of the windows."""


class LocalFeedForward(nn.Module):
    """Widens every pixel, adds what a depthwise 3x3 convolution makes of it, and narrows it again."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Linear(channels, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.narrow = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, channels)` to the same."""
        x = F.gelu(self.widen(x))
        near = self.depthwise(x.permute(0, 3, 1, 2))  # (B, hidden, H, W)
        return self.narrow(x + F.gelu(near).permute(0, 2, 3, 1))


class WindowBlock(nn.Module):
    """Window-based transformer: the pixels of each window attend to each other, then feed-forward."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attention = PositionEnhancedAttention(channels, heads, reach=WINDOW)
        self.norm2 = nn.LayerNorm(channels)
        self.feed_forward = LocalFeedForward(channels, 4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, channels)` to the same, H and W multiples of `WINDOW`."""
        windows = to_windows(self.norm1(x), WINDOW)  # (B, H / 8, W / 8, 8, 8, channels)
        mixed = self.attention(windows.flatten(0, 2))  # (B * H / 8 * W / 8, 8, 8, channels)
        x = x + from_windows(mixed.reshape(windows.shape))
        return x + self.feed_forward(self.norm2(x))


class SpatialBlock(nn.Module):
    """Spatial transformer: in each channel, the windows of the whole picture attend to each other; feed-forward.

    A token is what one channel holds in one window, 64 numbers; all channels share the weights of the attention.

    Args:
        channels: C.
        heads: Attention heads; must divide 64.
        reach: Windows along the side of a training crop.
        hidden: Channels within the feed-forward part.
    """

    def __init__(self, channels: int, heads: int, reach: int, hidden: int) -> None:
        super().__init__()
        self.attention = PositionEnhancedAttention(WINDOW**2, heads, reach)
        self.norm = nn.LayerNorm(channels)
        self.feed_forward = LocalFeedForward(channels, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, channels)` to the same, H and W multiples of `WINDOW`."""
        windows = to_windows(x, WINDOW)  # (B, H / 8, W / 8, 8, 8, channels)
        batch, rows, columns, _, _, channels = windows.shape
        tokens = windows.permute(0, 5, 1, 2, 3, 4).flatten(4).flatten(0, 1)  # (B * channels, H / 8, W / 8, 64)
        mixed = self.attention(tokens).reshape(batch, channels, rows, columns, WINDOW, WINDOW)
        x = x + from_windows(mixed.permute(0, 2, 3, 4, 5, 1))  # (B, H, W, channels)
        return x + self.feed_forward(self.norm(x))


class Stage(nn.Module):
    """Window blocks, then, where a reach is given, a spatial block."""

    def __init__(self, channels: int, heads: int, blocks: int, reach: int | None, hidden: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(WindowBlock(channels, heads) for _ in range(blocks)))
        self.spatial = SpatialBlock(channels, heads, reach, hidden) if reach else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        x = self.spatial(self.blocks(x.permute(0, 2, 3, 1)))  # (B, H, W, channels)
        return x.permute(0, 3, 1, 2)


class IDT(Network):
    """Encoder, coarsest level and decoder of attention stages, with a residual over the whole picture.

    Skips are concatenated, and the decoder works on twice the channels of the encoder.

    Args:
        width: Channels of the first level, and of each attention head; each level below has twice as many.
        encoder: Window blocks of each encoder level, from fine to coarse.
        middle: Window blocks at the coarsest level.
        decoder: Window blocks of each decoder level, from coarse to fine.
        crop: Side of the training crops in pixels; position tables tell apart what lies within one.
        hidden: Channels within the feed-forward parts of the spatial blocks.
        fold: Side of the pixel squares folded into channels before the first convolution; 1 is the published network.
        identity: Whether the last convolution starts at zero, and with it the network as the identity.
    """

    def __init__(
        self,
        *,
        width: int,
        encoder: tuple[int, ...],
        middle: int,
        decoder: tuple[int, ...],
        crop: int,
        hidden: int,
        fold: int = 1,
        identity: bool = False,
    ) -> None:
        super().__init__()
        levels = len(encoder)
        self.fold = fold
        self.size_multiple = fold * WINDOW * 2**levels
        if len(decoder) != levels:
            raise ValueError(f"encoder and decoder need equally many levels, not {levels} and {len(decoder)}")
        if min(width, fold, hidden, middle, *encoder, *decoder) < 1:
            blocks = (*encoder, middle, *decoder)
            raise ValueError(f"give width, fold, hidden and blocks from 1, not {width}, {fold}, {hidden} and {blocks}")
        if crop < 1 or crop % self.size_multiple:
            raise ValueError(f"give a crop that is a multiple of {self.size_multiple} pixels, not {crop}")

        def stage(level: int, doubling: int, blocks: int) -> Stage:
            heads = 2**level * doubling
            reach = crop // (fold * WINDOW * 2**level) if level < levels else None
            return Stage(width * heads, heads, blocks, reach, hidden)

        folded = self.channels * fold**2
        self.embed = nn.Conv2d(folded, width, 3, padding=1)
        self.encoders, self.downs = nn.ModuleList(), nn.ModuleList()
        for level, blocks in enumerate(encoder):
            channels = width * 2**level
            self.encoders.append(stage(level, 1, blocks))
            self.downs.append(nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1))
        self.middle = stage(levels, 1, middle)
        self.ups, self.decoders = nn.ModuleList(), nn.ModuleList()
        entering = width * 2**levels
        for level, blocks in zip(reversed(range(levels)), decoder, strict=True):
            channels = width * 2**level
            self.ups.append(nn.ConvTranspose2d(entering, channels, 2, stride=2))
            self.decoders.append(stage(level, 2, blocks))
            entering = 2 * channels
        self.ending = nn.Conv2d(entering, folded, 3, padding=1)
        self._start()
        if identity:
            for parameter in self.ending.parameters():
                nn.init.zeros_(parameter)

    def _start(self) -> None:
        """Draws linear weights and position tables small; convolutions keep PyTorch's."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, PositionEnhancedAttention):
                nn.init.trunc_normal_(module.table, std=0.02)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same, H and W multiples of `size_multiple`."""
        folded = F.pixel_unshuffle(x.to(self.embed.weight.dtype), self.fold)  # (B, 3 * fold^2, H / fold, W / fold)
        y = F.leaky_relu(self.embed(folded), 0.01)  # (B, width, H / fold, W / fold)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            y = encoder(y)
            skips.append(y)
            y = down(y)
        y = self.middle(y)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            y = decoder(torch.cat([up(y), skip], dim=1))
        return x + F.pixel_shuffle(self.ending(y), self.fold)


def idt(*, width: int = 32, crop: int = 128) -> IDT:
    """As published, trained on crops of 128x128: 16,416,463 parameters."""
    return IDT(width=width, encoder=(3, 3, 2, 2), middle=1, decoder=(1, 2, 2, 3), crop=crop, hidden=4 * WINDOW**2)


def idt_small(*, width: int = 24, blocks: int = 1, crop: int = 64) -> IDT:
    """For CPUs: folded by two, three levels, positions within crops of 64x64; 629,586 parameters as it stands."""
    each, hidden = (blocks, blocks), 2 * WINDOW**2
    return IDT(width=width, encoder=each, middle=1, decoder=each, crop=crop, hidden=hidden, fold=2, identity=True)
