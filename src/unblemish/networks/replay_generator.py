"""CycleGAN's generator, with which LIRA replays damage: it damages pictures rather than restoring them.

Source: Zhu, Park, Isola, Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
ICCV 2017, Sec. 4 and 7.2 (c7s1-64, d128, d256, R256 nine times, u128, u64, c7s1-3), which LIRA takes as its G (Liu et
al., ECCV 2020, Sec. 4.2).

Deviations: none in the layers, but that a picture too small to reflect at its edges is replicated there. Inside, values
lie in [-1, 1] as published; the mapping from and to [0, 1] is part of the network.
The first normalisation takes mean colour and contrast from every picture, and no layer brings them back: two pictures
that differ in nothing else become the same one. The option `residual`, which is not the paper's, adds what the last
layer says to the picture instead. Nor is the option `random`: another network in the place of all layers, which leaves
noise and the degree of damage to chance, see `random_damage`.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.random_damage import RandomDamage

SPREAD = 0.02
"""Standard deviation of the weights at the start."""


class PlainInstanceNorm(nn.Module):
    """Each channel of each picture to mean 0 and variance 1, without gain and bias; a picture of one pixel gives 0."""

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        return torch.instance_norm(x, None, None, None, None, True, 0.0, 1e-5, torch.backends.cudnn.enabled)


class ReflectedConv(nn.Conv2d):
    """A convolution that keeps the size, with reflected edges; replicated ones where a side is too short for that."""

    def __init__(self, entering: int, leaving: int, taps: int) -> None:
        super().__init__(entering, leaving, taps)
        self.reach = taps // 2

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`(B, entering, H, W)` to `(B, leaving, H, W)`."""
        mode = "reflect" if self.reach < min(x.shape[-2:]) else "replicate"
        return super().forward(F.pad(x, (self.reach,) * 4, mode=mode))


class ReplayBlock(nn.Module):
    """Two normalised 3x3 convolutions with one activation between them, around an identity (Rk of Sec. 7.2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ReflectedConv(channels, channels, 3), PlainInstanceNorm(), nn.ReLU(),
            ReflectedConv(channels, channels, 3), PlainInstanceNorm(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """`(B, channels, H, W)` to the same."""
        return x + self.residual(x)


class ReplayGenerator(Network):
    """Maps clean pictures to damaged ones: G of LIRA's Eq. 15 and 16. What it returns lies in [0, 1], as published.

    The contract is that of any `Network`, but for the direction: trained, it makes pictures worse, as the degradations
    do whose pictures its discriminator saw. Biases before a normalisation have no effect; they are there as published.

    Args:
        width: Channels of the first layer; twice and four times as many after the first and the second halving.
        blocks: Residual blocks at a quarter of the resolution.
        residual: Add to the picture, at most 1/2 to a value; what is returned may then leave [0, 1] by as much.
        random: Damage by `RandomDamage` of the same width and blocks; not together with `residual`.
    """

    def __init__(self, *, width: int, blocks: int, residual: bool = False, random: bool = False) -> None:
        super().__init__()
        if width < 1 or blocks < 0:
            raise ValueError(f"give width from 1 and blocks from 0, not {width} and {blocks}")
        if residual and random:
            raise ValueError("random has layers of its own, which add to the picture anyway: leave residual out")
        self.size_multiple = 4
        self.residual = residual
        self.damage = RandomDamage(width, blocks) if random else None
        if random:
            return
        self.enter = nn.Sequential(ReflectedConv(self.channels, width, 7), PlainInstanceNorm(), nn.ReLU())
        self.down = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), PlainInstanceNorm(), nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1), PlainInstanceNorm(), nn.ReLU(),
        )  # fmt: skip
        self.body = nn.Sequential(*(ReplayBlock(4 * width) for _ in range(blocks)))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(4 * width, 2 * width, 3, stride=2, padding=1, output_padding=1), PlainInstanceNorm(),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1), PlainInstanceNorm(),
            nn.ReLU(),
        )  # fmt: skip
        self.ending = ReflectedConv(width, self.channels, 7)
        start_small(self)

    def transform(self, x: Tensor) -> Tensor:
        """Damages `(B, 3, H, W)` in [0, 1], H and W multiples of 4; returns the same shape and dtype."""
        if self.damage is not None:
            return self.damage(x)
        y = self.enter((2 * x - 1).to(self.ending.weight.dtype))  # (B, width, H, W)
        y = self.body(self.down(y))  # (B, 4 * width, H / 4, W / 4)
        y = self.ending(self.up(y))  # (B, 3, H, W)
        return (x if self.residual else 0.5) + torch.tanh(y.to(x.dtype)) / 2


def start_small(module: nn.Module) -> None:
    """Draws the weights of all convolutions from N(0, 0.02^2), and sets their biases to zero, as CycleGAN does."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, SPREAD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def replay_generator(
    *, width: int = 64, blocks: int = 9, residual: bool = False, random: bool = False
) -> ReplayGenerator:
    """As published, and as LIRA takes it: 11.38 million parameters."""
    return ReplayGenerator(width=width, blocks=blocks, residual=residual, random=random)
