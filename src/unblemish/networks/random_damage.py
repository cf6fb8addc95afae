"""Damage in which chance has a part: a network for LIRA's replay that is not the paper's.

CycleGAN's generator makes one damaged picture of each clean one, always the same, and its normalisation loses how
strong contrasts are: it can neither draw noise nor blur by a given amount. This one filters the picture, changes
contrast and brightness of its colours, adds grey and coloured noise, for JPEG leaves little of colours, and lets a
U-shaped network without normalisation do the rest, such as the blocks of JPEG. Numbers drawn for each picture, its
style, say how: by the filter's taps, the contrasts, the strengths of the noise, and gains and shifts of the network's
channels (FiLM: Perez et al., "Visual Reasoning with a General Conditioning Layer", AAAI 2018).
"""

from __future__ import annotations

import zlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUMBERS = 8
"""Drawn for each picture."""

STYLE = 32
"""Values made of them, which all parts are told."""

SIDE = 15
"""Of the filter, pixels; odd."""

PACE = 3.0
"""Factor of the filter's logits: so many times faster do they learn."""


def drawn(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """What is left to chance. It follows from each picture's own values at 8 bits, as if these were a seed.

    So the same picture is always damaged alike, whatever stands beside it in a batch and however often a training was
    interrupted, and no two different ones are. Tiles of a picture count as pictures.

    Args:
        pictures: `(B, 3, H, W)`, [0, 1].

    Returns:
        Noise `(B, 4, H, W)`, first that of all colours alike, and numbers `(B, NUMBERS)`, both float32 from N(0, 1), on
        the pictures' device.
    """
    levels = pictures.detach().float().clamp(0, 1).mul(255).round().byte().cpu().contiguous()
    noise, numbers = [], []
    for picture in levels:
        generator = torch.Generator().manual_seed(zlib.crc32(picture.numpy().tobytes()))
        numbers.append(torch.randn(NUMBERS, generator=generator))
        noise.append(torch.randn((4, *picture.shape[1:]), generator=generator))
    return torch.stack(noise).to(pictures.device), torch.stack(numbers).to(pictures.device)


class StyledConv(nn.Module):
    """A convolution that keeps the size, whose channels a style scales and shifts before the activation."""

    def __init__(self, entering: int, leaving: int, taps: int) -> None:
        super().__init__()
        self.conv = _conv(entering, leaving, taps)
        self.modulation = nn.Linear(STYLE, 2 * leaving)
        nn.init.normal_(self.modulation.weight, 0.0, 0.3 / STYLE**0.5)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`(B, entering, H, W)` and `(B, STYLE)` to `(B, leaving, H, W)`."""
        gain, shift = self.modulation(style)[..., None, None].chunk(2, dim=1)  # (B, leaving, 1, 1) each
        return F.relu((1 + gain) * self.conv(x) + shift)


class StyledBlock(nn.Module):
    """Two 3x3 convolutions, the first one styled, around an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = StyledConv(channels, channels, 3), _conv(channels, channels, 3)
        nn.init.normal_(self.last.weight, 0.0, 0.02)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`(B, channels, H, W)` and `(B, STYLE)` to `(B, channels, H, W)`."""
        return x + self.last(self.first(x, style))


class RandomDamage(nn.Module):
    """Filters pictures, changes their tones, adds noise, and changes them by less than 1/2 besides; see the module.

    Sizes are enlarged again by repeating pixels before a convolution, for transposed convolutions draw grids.

    Args:
        width: Channels at full resolution; twice and four times as many after the first and the second halving.
        blocks: At a quarter of the resolution.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.style = nn.Sequential(
            nn.Linear(NUMBERS, STYLE), nn.LeakyReLU(0.2), nn.Linear(STYLE, STYLE), nn.LeakyReLU(0.2)
        )
        self.filter, self.tone, self.strength = nn.Linear(STYLE, SIDE**2), nn.Linear(STYLE, 6), nn.Linear(STYLE, 4)
        self.enter = StyledConv(6, width, 7)
        self.down = nn.Sequential(
            _conv(width, 2 * width, 3, stride=2), nn.ReLU(), _conv(2 * width, 4 * width, 3, stride=2), nn.ReLU()
        )
        self.body = nn.ModuleList(StyledBlock(4 * width) for _ in range(blocks))
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), _conv(4 * width, 2 * width, 3), nn.ReLU(),
            nn.Upsample(scale_factor=2), _conv(2 * width, width, 3), nn.ReLU(),
        )  # fmt: skip
        self.join = StyledConv(2 * width, width, 3)
        self.ending = _conv(width, 3, 7)
        self._start()

    def forward(self, x: Tensor) -> Tensor:
        """Damages `(B, 3, H, W)` in [0, 1], H and W multiples of 4; returns the same shape, dtype and range."""
        noise, numbers = drawn(x)
        style = self.style(numbers.to(self.ending.weight.dtype))  # (B, STYLE)
        strength = self.strength(style).float().exp()[..., None, None]  # (B, 4, 1, 1)
        grey, coloured = (strength * noise).split([1, 3], dim=1)  # (B, 1, H, W), (B, 3, H, W)
        contrast, brightness = self.tone(style).float()[..., None, None].chunk(2, dim=1)  # (B, 3, 1, 1) each
        y = self._filtered(x.float(), style)  # (B, 3, H, W)
        y = y + contrast * (y - 0.5) + brightness + grey + coloured
        seen = torch.cat([2 * y - 1, 2 * x.float() - 1], dim=1)  # (B, 6, H, W)
        fine = self.enter(seen.to(style.dtype), style)  # (B, width, H, W)
        coarse = self.down(fine)  # (B, 4 * width, H / 4, W / 4)
        for block in self.body:
            coarse = block(coarse, style)
        rest = self.ending(self.join(torch.cat([self.up(coarse), fine], dim=1), style))  # (B, 3, H, W)
        return (y + F.softsign(rest.float()) / 2).clamp(0.0, 1.0).to(x.dtype)

    def _filtered(self, x: Tensor, style: Tensor) -> Tensor:
        """Each picture of `(B, 3, H, W)` float32 convolved by its own filter, whose taps are positive and sum to 1."""
        taps = (PACE * self.filter(style).float()).softmax(dim=1).view(-1, 1, SIDE, SIDE)
        wide = F.pad(x, (SIDE // 2,) * 4, mode="replicate")
        size = wide.shape[-2:]  # (H + SIDE - 1, W + SIDE - 1)
        # Through frequencies: the gradients of direct convolutions, a kernel a picture, take five times as long.
        y = torch.fft.irfft2(torch.fft.rfft2(wide) * torch.fft.rfft2(taps, s=size), s=size)
        return y[..., SIDE - 1 :, SIDE - 1 :]

    def _start(self) -> None:
        """Blur of about a pixel, noise of about 17 of 255, both different from style to style, and little else."""
        line = torch.arange(SIDE) - SIDE // 2
        squared = (line[:, None].square() + line.square()).flatten()
        for layer in (self.style[0], self.style[2]):
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, 0.2)
            nn.init.normal_(layer.bias, 0.0, 0.3)
        nn.init.normal_(self.filter.weight, 0.0, 1 / (PACE * STYLE**0.5))
        nn.init.normal_(self.strength.weight[:1], 0.0, 0.8 / STYLE**0.5)
        with torch.no_grad():
            self.filter.bias.copy_(-(squared / 2).clamp(max=6) / PACE)
            self.strength.weight[1:] = self.strength.weight[:1]
            self.strength.bias.fill_(-3.0)
        nn.init.normal_(self.ending.weight, 0.0, 0.01)
        assert self.ending.bias is not None
        for started_at_zero in (self.ending.bias, self.tone.weight, self.tone.bias):
            nn.init.zeros_(started_at_zero)


def _conv(entering: int, leaving: int, taps: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(entering, leaving, taps, stride, taps // 2, padding_mode="replicate")
