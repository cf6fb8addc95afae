"""MSRResNet: a residual network without normalisation, at four times or at equal resolution.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
CVPR 2017, Fig. 4, in the modified form of Wang et al., "ESRGAN", ECCVW 2018, that GRIDS trains and describes
pictures with: no batch normalisation, no skip around the trunk, leaky activations outside it, residual on the
enlarged picture.

Deviations: none in the layers at x4. The equal-resolution restorer drops both upsamplers, and with them the
enlargement. The compact variant folds the picture by two before the first convolution, so that no convolution runs
at full resolution. Only the convolutions that end a residual start small; ESRGAN starts all of them so, which costs
short trainings their first thousand steps.
Layers carry the names of the published weights, so that those load as they are.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network

SLOPE = 0.1
"""Of the leaky activations, for negative values."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with one activation between them, around an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return x + self.conv2(F.relu(self.conv1(x)))


class SRResNet(Network):
    """Convolution, residual trunk, optional enlargement by four, two convolutions, residual on the picture.

    Args:
        blocks: Residual blocks of the trunk.
        width: Channels throughout.
        scale: 1 restores at equal resolution, 4 enlarges.
        fold: Side of the pixel squares that are folded into channels; 1 is the published network.
    """

    def __init__(self, *, blocks: int, width: int, scale: int, fold: int = 1) -> None:
        super().__init__()
        if scale not in (1, 4) or blocks < 1 or width < 1:
            raise ValueError(f"give scale 1 or 4, blocks and width from 1, not {scale}, {blocks} and {width}")
        folded = self.channels * fold**2
        self.scale = scale
        self.fold = self.size_multiple = fold
        self.conv_first = nn.Conv2d(folded, width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        if scale == 4:
            self.upconv1 = nn.Conv2d(width, 4 * width, 3, padding=1)
            self.upconv2 = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, folded, 3, padding=1)
        # One cell a 3x3 convolution: the first, two a block, two last. At x4 the first upsampler adds one,
        # and the three convolutions on the finer grids reach one input pixel together. A cell is `fold` pixels, and
        # an output pixel may lie at either end of its own.
        self.receptive_field = fold * (2 * blocks + 3) + fold - 1
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                _start(module, 0.1 if name.endswith(("conv2", "conv_last")) else 1.0)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to `(B, 3, scale * H, scale * W)`."""
        folded = F.pixel_unshuffle(x.to(self.conv_first.weight.dtype), self.fold)  # (B, 3 * fold^2, H / fold, W / fold)
        y = self.conv_first(folded)  # (B, width, H / fold, W / fold)
        y = self.body(F.leaky_relu(y, SLOPE))
        if self.scale == 4:
            y = F.leaky_relu(F.pixel_shuffle(self.upconv1(y), 2), SLOPE)  # (B, width, 2H, 2W)
            y = F.leaky_relu(F.pixel_shuffle(self.upconv2(y), 2), SLOPE)  # (B, width, 4H, 4W)
            x = F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=False)
        y = self.conv_last(F.leaky_relu(self.conv_hr(y), SLOPE))
        return x + F.pixel_shuffle(y, self.fold)


def _start(convolution: nn.Conv2d, size: float) -> None:
    """He initialisation times `size`; without norms, residuals must start small for deep trunks to train."""
    nn.init.kaiming_normal_(convolution.weight)
    convolution.weight.data.mul_(size)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


def srresnet(*, blocks: int = 16, width: int = 64) -> SRResNet:
    """The equal-resolution restorer of GRIDS: 1,222,147 parameters."""
    return SRResNet(blocks=blocks, width=width, scale=1)


def srresnet_x4(*, blocks: int = 16, width: int = 64) -> SRResNet:
    """Four times larger pictures, and GRIDS's descriptor of degradations: 1,517,571 parameters."""
    return SRResNet(blocks=blocks, width=width, scale=4)


def srresnet_x4_compact(*, blocks: int = 8, width: int = 32) -> SRResNet:
    """The descriptor for CPUs: 8 blocks of 32 channels; 232,963 parameters."""
    return SRResNet(blocks=blocks, width=width, scale=4)


def srresnet_compact(*, blocks: int = 12, width: int = 48) -> SRResNet:
    """For CPUs: folded by two, 12 blocks of 48 channels; 530,028 parameters."""
    return SRResNet(blocks=blocks, width=width, scale=1, fold=2)
