"""EDSR: an enlarging residual network without normalisation, light as MCIR trains it.

Source: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017 (arXiv
1707.02921), Fig. 3 with the block of Fig. 2c; 16 blocks of 64 channels, the paper's baseline. MCIR calls it EDSR-light,
BasicSR EDSR-M.

Inside, pictures keep the published range: 0 to 255, less DIV2K's mean colour. Without biases the range would not
matter, such a network scales with its input. A bias, however, counts 255 times less than in [0, 1], at the start and
in every step of an optimiser whose step does not follow the gradient's size, as Adam's. In [0, 1] it would be another
training, and published weights would not fit.

Deviations: none in the layers. The factor on each residual, 0.1 in the paper's network of 256 channels, is left out: it
is 1 here. No residual is added to the picture, so that bfloat16 weights round all of the result but the mean colour.
Layers carry the names of BasicSR's weights, so that those load as they are.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.srresnet import ResidualBlock

WHITE = 255.0
"""What 1 becomes inside."""

MEAN = (0.4488, 0.4371, 0.4040)
"""Mean red, green and blue of DIV2K's training pictures."""

STEPS = {2: (2,), 3: (3,), 4: (2, 2)}
"""Factors by which the upsamplers enlarge, one after another, for each scale."""


class EDSR(Network):
    """Convolution, residual trunk inside a skip, enlargement, convolution; nothing but the blocks has activations.

    Weights start as PyTorch draws them, as in the published code.

    Args:
        blocks: Residual blocks of the trunk.
        width: Channels throughout.
        scale: How much larger pictures become: 2, 3 or 4.

    Raises:
        ValueError: There is no such network.
    """

    def __init__(self, *, blocks: int, width: int, scale: int) -> None:
        super().__init__()
        if scale not in STEPS or blocks < 1 or width < 1:
            raise ValueError(f"give scale 2, 3 or 4, blocks and width from 1, not {scale}, {blocks} and {width}")
        self.scale = scale
        self.conv_first = nn.Conv2d(self.channels, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.upsample = nn.Sequential()
        for step in STEPS[scale]:
            self.upsample.append(nn.Conv2d(width, step**2 * width, 3, padding=1))
            self.upsample.append(nn.PixelShuffle(step))
        self.conv_last = nn.Conv2d(width, self.channels, 3, padding=1)
        # One pixel a 3x3 convolution on the input's grid: the first, two a block, the one after them, the first
        # upsampler. What follows works on finer grids and reaches one input pixel more.
        self.receptive_field = 2 * blocks + 4

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to `(B, 3, scale * H, scale * W)`."""
        # Colour by colour, and before and after the casts: a buffer would be rounded with the weights.
        centred = torch.stack([(c - m) * WHITE for c, m in zip(x.unbind(1), MEAN, strict=True)], dim=1)  # (B, 3, H, W)
        y = self.conv_first(centred.to(self.conv_first.weight.dtype))  # (B, width, H, W)
        y = self.upsample(y + self.conv_after_body(self.body(y)))  # (B, width, scale * H, scale * W)
        y = self.conv_last(y).to(x.dtype)
        return torch.stack([c / WHITE + m for c, m in zip(y.unbind(1), MEAN, strict=True)], dim=1)


def edsr_light_x2(*, blocks: int = 16, width: int = 64) -> EDSR:
    """Twice larger pictures, MCIR's EDSR-light: 1,369,859 parameters."""
    return EDSR(blocks=blocks, width=width, scale=2)


def edsr_light_x4(*, blocks: int = 16, width: int = 64) -> EDSR:
    """Four times larger pictures, MCIR's EDSR-light: 1,517,571 parameters."""
    return EDSR(blocks=blocks, width=width, scale=4)
