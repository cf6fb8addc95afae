"""Convolutions with a kernel of its own for each picture of a batch, fast on CPU."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Border = Literal["reflect", "replicate", "constant"]
"""What lies beyond the edge: the mirror image without the edge pixel, the edge pixel again, or 0."""


def padded(pictures: Tensor, margin: int, border: Border) -> Tensor:
    """Continues pictures by `margin` pixels on each side; a side too short to mirror is replicated.

    Args:
        pictures: `(B, C, H, W)`.
        margin: Pixels, at least 0.
        border: See `Border`.

    Returns:
        `(B, C, H + 2 * margin, W + 2 * margin)`.
    """
    short = border == "reflect" and min(pictures.shape[-2:]) <= margin
    return nn.functional.pad(pictures, (margin,) * 4, mode="replicate" if short else border)


def gaussian_taps(sigma: Tensor, size: int) -> Tensor:
    """Sampled Gaussians that sum to 1, as OpenCV's `getGaussianKernel` makes them; sigma 0 is the identity.

    Args:
        sigma: `(B,)`, standard deviations in pixels, at least 0.
        size: Number of taps, odd.

    Returns:
        `(B, size)`, on the device of `sigma`.
    """
    offsets = torch.arange(size, device=sigma.device, dtype=sigma.dtype) - size // 2
    taps = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)  # (B, size)
    return taps / taps.sum(1, keepdim=True)


def filter_separably(pictures: Tensor, taps: Tensor, border: Border) -> Tensor:
    """Filters each picture with its own taps, along the columns and then along the rows.

    Pictures and colours become the channels of one picture: depthwise, and channels_last because NCHW is
    several times slower for large pictures on CPU.

    Args:
        pictures: `(B, C, H, W)`.
        taps: `(B, K)`, K odd, moved to the device of `pictures`.
        border: See `Border`.

    Returns:
        `(B, C, H, W)`.
    """
    batch, colours, height, width = pictures.shape
    extended = padded(pictures, taps.shape[1] // 2, border)
    stacked = extended.reshape(1, batch * colours, *extended.shape[-2:])  # (1, B * C, H + K - 1, W + K - 1)
    stacked = stacked.contiguous(memory_format=torch.channels_last)
    weights = taps.to(pictures).repeat_interleave(colours, dim=0)[:, None]  # (B * C, 1, K)
    filtered = nn.functional.conv2d(stacked, weights[:, :, :, None], groups=batch * colours)
    filtered = nn.functional.conv2d(filtered, weights[:, :, None, :], groups=batch * colours)
    return filtered.contiguous().reshape(batch, colours, height, width)  # (B, C, H, W)


def filter_inside(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Correlates each picture with its own kernel, where the kernel lies wholly inside.

    The batch becomes the channels of a depthwise convolution and the colours its batch, so that every kernel
    is stored once.

    Args:
        pictures: `(B, C, H, W)`.
        kernels: `(B, K, K)`, K odd, moved to the device of `pictures`.

    Returns:
        `(B, C, H - K + 1, W - K + 1)`.
    """
    by_colour = pictures.transpose(0, 1).contiguous(memory_format=torch.channels_last)  # (C, B, H, W)
    filtered = nn.functional.conv2d(by_colour, kernels.to(pictures)[:, None], groups=len(pictures))
    return filtered.transpose(0, 1).contiguous()  # (B, C, H - K + 1, W - K + 1)


def filter_with_kernels(pictures: Tensor, kernels: Tensor, border: Border) -> Tensor:
    """`filter_inside` on pictures continued beyond their edges.

    Args:
        pictures: `(B, C, H, W)`.
        kernels: `(B, K, K)`, K odd, moved to the device of `pictures`.
        border: See `Border`.

    Returns:
        `(B, C, H, W)`.
    """
    return filter_inside(padded(pictures, kernels.shape[-1] // 2, border), kernels)


def centred_grid(radius: int) -> tuple[Tensor, Tensor]:
    """Offsets of a square kernel's taps from its centre.

    Args:
        radius: Taps on each side of the centre.

    Returns:
        `(dy, dx)`, each `(2 * radius + 1, 2 * radius + 1)` in pixels, on the CPU; dy grows downwards.
    """
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    dy, dx = torch.meshgrid(offsets, offsets, indexing="ij")
    return dy, dx


def normalised(kernels: Tensor) -> Tensor:
    """Kernels `(..., K, K)` divided by their sums."""
    return kernels / kernels.sum((-2, -1), keepdim=True)
