"""The PatchGAN that tells real damage from generated damage, as LIRA takes it from CycleGAN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.lifelong.errors import LifelongError
from unblemish.networks.replay_generator import start_small

SLOPE = 0.2
"""Of the leaky activations, for negative values."""

DETAIL = 4.0
"""Factor of the differences from the local mean and from the clean picture; the picture beside details counts with its
inverse."""

SMALLEST = 24
"""Side of the smallest patches that it can judge, pixels."""


class Discriminator(nn.Module):
    """D of LIRA's Eq. 15: five convolutions of 4x4 taps, each of whose outputs judges 70x70 pixels.

    Source: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV 2017,
    Sec. 7.2 (C64-C128-C256-C512 and one more), after Isola et al., CVPR 2017. Biases before a normalisation have no
    effect; they are there as published.

    With `details` it also sees what differs from the mean of three by three pixels, in larger numbers than the picture,
    and does not normalise: noise and blur then show within some hundred steps instead of thousands. With `paired` it
    also sees what differs from the clean picture, as in Isola et al.

    Args:
        width: Channels of the first layer; the next ones have twice, four and eight times as many.
        details: See above; False as published.
        paired: See above; False as published.
    """

    def __init__(self, width: int, details: bool = False, paired: bool = False) -> None:
        super().__init__()
        self.details, self.paired = details, paired
        seen = 3 * (1 + details + paired)
        layers: list[nn.Module] = [nn.Conv2d(seen, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for factor, stride in ((2, 2), (4, 2), (8, 1)):
            entering, leaving = factor // 2 * width, factor * width
            layers.append(nn.Conv2d(entering, leaving, 4, stride=stride, padding=1))
            layers += [] if details else [nn.InstanceNorm2d(leaving)]
            layers.append(nn.LeakyReLU(SLOPE))
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, stride=1, padding=1))
        if details:
            _start_wide(self)
        else:
            start_small(self)

    def forward(self, pictures: Tensor, clean: Tensor | None = None) -> Tensor:
        """Judges pictures.

        Args:
            pictures: `(B, 3, H, W)` float32, [0, 1], H and W at least `SMALLEST`.
            clean: The same before they were damaged; needed where it is `paired`.

        Returns:
            `(B, 1, H / 8 - 2, W / 8 - 2)` float32, rounded down: logits, the larger the likelier the place is real.

        Raises:
            LifelongError: The pictures are smaller.
        """
        if min(pictures.shape[-2:]) < SMALLEST:
            height, width = pictures.shape[-2:]
            raise LifelongError(
                f"patches of {width} x {height} pixels are too small to tell real damage from generated damage: set "
                f"data.patch={SMALLEST} or more"
            )
        seen = 2 * pictures - 1
        if self.details:
            local = F.avg_pool2d(pictures, 3, stride=1, padding=1, count_include_pad=False)
            seen = torch.cat([seen / DETAIL, DETAIL * (pictures - local)], dim=1)  # (B, 6, H, W)
        if self.paired:
            assert clean is not None
            seen = torch.cat([seen, DETAIL * (pictures - clean)], dim=1)  # (B, 6 or 9, H, W)
        return self.layers(seen).float()


def _start_wide(module: nn.Module) -> None:
    """Draws weights as He et al. (ICCV 2015), for layers without normalisation."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
