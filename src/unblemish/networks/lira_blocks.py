"""LIRA's experts: dual residual blocks whose base is a selective kernel block.

Sources: Liu et al., "LIRA: Lifelong Image Restoration from Unknown Blended Distortions", Sec. 3.1, Eq. 1; DuRB-M of
Liu, Suganuma, Okatani, "Joint Learning of Multiple Image Restoration Tasks" (arXiv 1907.04508); selective kernels of Li
et al., "Selective Kernel Networks" (CVPR 2019).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

BASES = ("sk", "durb_m")
"""What a dual residual block starts with: LIRA's selective kernels, or DuRB-M's channel gate."""

WIDTH_MULTIPLE = 16
"""Of all widths: for others PyTorch 2.13's bfloat16 weight gradients of dilated convolutions are wrong on CPUs, in
channels_last memory."""

KERNELS = ((3, 3, 2), (5, 3, 1), (3, 5, 2), (5, 5, 1), (7, 5, 1), (7, 5, 2), (11, 5, 1), (11, 5, 1))
"""Of DuRB-M's blocks in order: kernel and dilation on the way up, in between kernel on the way down, as (up, down,
dilation)."""


class Widths(NamedTuple):
    """Channels at both scales, multiples of `WIDTH_MULTIPLE`; DuRB-M has 64 and 96."""

    fine: int
    coarse: int


class Scales(NamedTuple):
    """Features at both scales of a picture `(B, 3, H, W)`.

    Attributes:
        fine: u, or h at the start: `(B, fine, H / 2, W / 2)`.
        coarse: p, or g at the start: `(B, coarse, H / 4, W / 4)`.
    """

    fine: Tensor
    coarse: Tensor


def convolution(entering: int, leaving: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Keeps height and width but for the stride; the edge is repeated beyond the picture."""
    return nn.Conv2d(
        entering, leaving, kernel, stride, padding=dilation * (kernel // 2), dilation=dilation, padding_mode="replicate"
    )


class ChannelGateBlock(nn.Module):
    """DuRB-M's "improved SE-ResNet" block: channels are weighed by their means and by their total variations.

    Args:
        channels: C.
        hidden: Width of the two linear layers in between.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
        self.weigh = nn.Sequential(
            nn.Linear(2 * channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y = self.convolutions(x)
        described = torch.cat([y.mean(dim=(2, 3)), _variation(y)], dim=1)  # (B, 2C)
        return torch.relu(x + y * self.weigh(described)[:, :, None, None])


def _variation(y: Tensor) -> Tensor:
    """Mean cubes of the differences between neighbours in both directions: `(B, C, H, W)` to `(B, C)`."""
    vertical = (y[:, :, 1:] - y[:, :, :-1]).abs().pow(3)
    horizontal = (y[:, :, :, 1:] - y[:, :, :, :-1]).abs().pow(3)
    pixels = y.shape[2] * y.shape[3]
    return (vertical.sum(dim=(2, 3)) + horizontal.sum(dim=(2, 3))) / pixels


class SelectiveKernelBlock(nn.Module):
    """Two receptive fields, mixed channel by channel as the picture asks for, in a residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, 32)
        self.first = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU())
        self.fields = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=reach, dilation=reach), nn.ReLU())
            for reach in (1, 2)
        )
        self.squeeze = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU())
        self.select = nn.Linear(hidden, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        y = self.first(x)
        near, far = (field(y) for field in self.fields)
        wanted = self.select(self.squeeze((near + far).mean(dim=(2, 3))))  # (B, 2C)
        share = torch.softmax(wanted.unflatten(1, (2, -1)), dim=1)[..., None, None]  # (B, 2, C, 1, 1)
        return torch.relu(x + share[:, 0] * near + share[:, 1] * far)


class DualResidualBlock(nn.Module):
    """SK-DuRB, or DuRB-M: paired operations up to half the picture's size and down to a quarter, each with a residual.

    Args:
        widths: Channels at half and at a quarter of the size.
        kernels: One of `KERNELS`.
        base: One of `BASES`.
    """

    def __init__(self, widths: Widths, kernels: tuple[int, int, int], base: str) -> None:
        super().__init__()
        narrow, wide = widths
        up, down, dilation = kernels
        self.base = SelectiveKernelBlock(wide) if base == "sk" else ChannelGateBlock(wide, narrow)
        self.up = nn.Sequential(
            nn.Conv2d(wide, 4 * wide, 1), nn.PixelShuffle(2), convolution(wide, narrow, up, dilation=dilation)
        )
        self.down_plain = nn.Sequential(convolution(narrow, wide, 3, stride=2), nn.ReLU())
        self.down_gated = nn.Sequential(
            ChannelGateBlock(narrow, wide), convolution(narrow, wide, down, stride=2), nn.ReLU()
        )
        self.join = convolution(2 * wide, wide, 3)

    def forward(self, x: Scales) -> Scales:
        """Both scales to both."""
        fine = torch.relu(self.up(self.base(x.coarse)) + x.fine)
        down = torch.cat([self.down_plain(fine), self.down_gated(fine)], dim=1)  # (B, 2 * coarse, H / 4, W / 4)
        return Scales(fine, torch.relu(self.join(down) + x.coarse))


class Expert(nn.Module):
    """M dual residual blocks, of which every second one's features are handed on (Eq. 1).

    Args:
        widths: Channels at half and at a quarter of the size.
        blocks: M, even, up to 8.
        base: One of `BASES`.
    """

    def __init__(self, widths: Widths, blocks: int, base: str) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DualResidualBlock(widths, kernels, base) for kernels in KERNELS[:blocks])

    def forward(self, start: Scales) -> list[Scales]:
        """From h and g to (u^2, p^2), (u^4, p^4), ..., (u^M, p^M)."""
        found, x = [], start
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number % 2 == 0:
                found.append(x)
        return found
