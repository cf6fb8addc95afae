"""The PatchGAN that tells real damage from generated damage, as LIRA takes it from CycleGAN."""

from __future__ import annotations

from torch import Tensor, nn

from unblemish.lifelong.errors import LifelongError
from unblemish.networks.replay_generator import start_small

SLOPE = 0.2
"""Of the leaky activations, for negative values."""

SMALLEST = 24
"""Side of the smallest patches that it can judge, pixels."""


class Discriminator(nn.Module):
    """D of LIRA's Eq. 15: five convolutions of 4x4 taps, each of whose outputs judges 70x70 pixels.

    Source: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV 2017,
    Sec. 7.2 (C64-C128-C256-C512 and one more), after Isola et al., CVPR 2017. Biases before a normalisation have no
    effect; they are there as published.

    Args:
        width: Channels of the first layer; the next ones have twice, four and eight times as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for factor, stride in ((2, 2), (4, 2), (8, 1)):
            entering, leaving = factor // 2 * width, factor * width
            layers += [nn.Conv2d(entering, leaving, 4, stride=stride, padding=1), nn.InstanceNorm2d(leaving)]
            layers += [nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, stride=1, padding=1))
        start_small(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """Judges pictures.

        Args:
            pictures: `(B, 3, H, W)` float32, [0, 1], H and W at least `SMALLEST`.

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
        return self.layers(2 * pictures - 1).float()
