"""NAFNet's layers as experts of LIRA's network: ours, for networks that grow at a CPU's cost.

Sources: of the blocks Chen et al., "Simple Baselines for Image Restoration" (ECCV 2022), see `nafnet`; of their place
Liu et al., "LIRA: Lifelong Image Restoration from Unknown Blended Distortions" (ECCV 2020), see `lira`.

An expert is the inside of a compact NAFNet, extractor and decoder are its ends. So a trained NAFNet becomes a base
network of one expert that does the same, see `lifelong.growing.join_experts`.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.lira_blocks import Scales, Widths
from unblemish.networks.nafnet import naf_blocks, reach

FOLD = 2
"""Side of the pixel squares that are folded into channels."""

BLOCKS, MIDDLE, ENDING = 2, 4, 1
"""NAF blocks: at each level of an expert on either way, at its coarsest level, and in a decoder."""

SIZE_MULTIPLE = 8


class FoldedExtractor(nn.Module):
    """One convolution of the folded picture gives h, and one more g."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.to_half = nn.Conv2d(3 * FOLD**2, widths.fine, 3, padding=1)
        self.to_quarter = nn.Conv2d(widths.fine, widths.coarse, 2, stride=2)

    def forward(self, picture: Tensor) -> Scales:
        """`(B, 3, H, W)` to h and g."""
        fine = self.to_half(F.pixel_unshuffle(picture, FOLD))  # (B, fine, H / 2, W / 2)
        return Scales(fine, self.to_quarter(fine))


class FoldedDecoder(nn.Module):
    """Features at both scales to what is added to the picture, by NAF blocks and one convolution."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.up = _doubled(widths.coarse, widths.fine)
        self.blocks = naf_blocks(widths.fine, ENDING, attention=False)
        self.last = nn.Conv2d(widths.fine, 3 * FOLD**2, 3, padding=1)

    def forward(self, features: Scales) -> Tensor:
        """To `(B, 3, H, W)`."""
        return F.pixel_shuffle(self.last(self.blocks(features.fine + self.up(features.coarse))), FOLD)


class NAFExpert(nn.Module):
    """Encoder, middle and decoder of NAF blocks at a half, a quarter and an eighth of the picture's size, in turn.

    Args:
        widths: Channels at half and at a quarter of the size; an eighth has twice as many as a quarter.
        levels: How many such networks in a row; the features of each are handed on.
    """

    def __init__(self, widths: Widths, levels: int) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(NAFBody(widths) for _ in range(levels))

    def forward(self, start: Scales) -> list[Scales]:
        """From h and g to the features of each level."""
        found, x = [], start
        for body in self.bodies:
            x = body(x)
            found.append(x)
        return found


class NAFBody(nn.Module):
    """What a NAFNet of two halvings does between its first and its last convolution; g is added on the way down."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        channels = (widths.fine, widths.coarse, 2 * widths.coarse)
        pairs = list(pairwise(channels))  # of neighbouring scales, from fine to coarse
        self.encoders = nn.ModuleList(naf_blocks(upper, BLOCKS, attention=False) for upper, _ in pairs)
        self.downs = nn.ModuleList(nn.Conv2d(upper, lower, 2, stride=2) for upper, lower in pairs)
        self.middle = naf_blocks(channels[-1], MIDDLE, attention=False)
        self.ups = nn.ModuleList(_doubled(lower, upper) for upper, lower in reversed(pairs))
        self.decoders = nn.ModuleList(naf_blocks(upper, BLOCKS, attention=False) for upper, _ in reversed(pairs))

    def forward(self, x: Scales) -> Scales:
        """Both scales to both."""
        fine = self.encoders[0](x.fine)
        coarse = self.encoders[1](x.coarse + self.downs[0](fine))
        deep = self.middle(self.downs[1](coarse))  # (B, 2 * coarse, H / 8, W / 8)
        coarse = self.decoders[0](coarse + self.ups[0](deep))
        return Scales(self.decoders[1](fine + self.ups[1](coarse)), coarse)


def naf_reach(levels: int) -> int:
    """Input pixels that an output pixel can see on each side through experts of so many levels."""
    return levels * reach(FOLD, (BLOCKS, BLOCKS), MIDDLE, (BLOCKS, BLOCKS)) + FOLD * ENDING


def _doubled(entering: int, leaving: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(entering, 4 * leaving, 1, bias=False), nn.PixelShuffle(2))
