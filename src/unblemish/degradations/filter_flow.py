"""Convolution by point spread functions, one for each picture or changing across it, by the fast Fourier transform.

Efficient filter flow is that of Hirsch, Sra, Schoelkopf and Harmeling, "Efficient Filter Flow for Space-Variant
Multiframe Blind Deconvolution" (CVPR 2010): filters stand on a regular grid of anchors and are interpolated between
them. The paper windows the picture before it filters, this file after; then a uniform picture stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

from unblemish.degradations.filtering import padded

_FAST = 16
"""Transforms have sides that this divides, as large prime factors make them slow."""


def convolved_inside(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Convolves, so that kernels are mirrored, where the kernel lies wholly inside.

    Args:
        pictures: `(..., H, W)`.
        kernels: `(..., K, K)`, of the same device; the dimensions in front are broadcast.

    Returns:
        `(..., H - K + 1, W - K + 1)`.
    """
    (height, width), side = pictures.shape[-2:], kernels.shape[-1]
    sides = [-(-length // _FAST) * _FAST for length in (height, width)]
    spectrum = torch.fft.rfft2(pictures, s=sides) * torch.fft.rfft2(kernels, s=sides)
    return torch.fft.irfft2(spectrum, s=sides)[..., side - 1 : height, side - 1 : width]


def convolved(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Convolves each picture with its own kernel; beyond the edges lies the mirror image.

    Args:
        pictures: `(B, C, H, W)`.
        kernels: `(B, K, K)`, K odd, moved to the device of `pictures`.

    Returns:
        `(B, C, H, W)`.
    """
    extended = padded(pictures, kernels.shape[-1] // 2, "reflect")
    return convolved_inside(extended, kernels.to(pictures)[:, None])


def filter_flow(pictures: Tensor, anchors: Iterable[Tensor], spacing: int, margin: int) -> Tensor:
    """Convolves with kernels that change across the picture.

    Anchor (i, j) stands on the pixel (i * spacing, j * spacing). A pixel of the result is the mean of what the kernels
    of the four anchors around it give there, weighted bilinearly. One row of cells between anchors is worked on at a
    time, so that large pictures need little more memory than themselves.

    Args:
        pictures: `(B, C, H, W)`.
        anchors: The kernels of one row of anchors after the other, from the top: ceil(H / spacing) + 1 tensors of
            shape `(B, ceil(W / spacing) + 1, K, K)`, on the device of `pictures`.
        spacing: Pixels between anchors.
        margin: K // 2, K being odd.

    Returns:
        `(B, C, H, W)`.
    """
    batch, colours, height, width = pictures.shape
    rows, columns = (-(-side // spacing) for side in (height, width))
    extended = padded(pictures, margin, "reflect")
    # The last cells may reach beyond the picture; what they find there is cut off again.
    extended = nn.functional.pad(extended, (0, columns * spacing - width, 0, rows * spacing - height))
    window = spacing + 2 * margin
    near = torch.arange(spacing, device=pictures.device) / spacing
    hats = torch.stack([1.0 - near, near])  # (2, S)
    weights = (hats[:, None, :, None] * hats[None, :, None, :]).reshape(4, 1, spacing, spacing)  # (4, 1, S, S)
    strips: list[Tensor] = []
    for row, kernels in enumerate(pairwise(anchors)):
        strip = extended[:, :, row * spacing : row * spacing + window]
        cells = strip.unfold(3, window, spacing).permute(0, 3, 1, 2, 4)[
            :, :, None
        ]  # (B, columns, 1, C, window, window)
        corners = torch.stack([kernel[:, j : j + columns] for kernel in kernels for j in (0, 1)], 2)
        filtered = convolved_inside(cells, corners[:, :, :, None])  # (B, columns, 4, C, S, S)
        blended = (filtered * weights).sum(2).permute(0, 2, 3, 1, 4)  # (B, C, S, columns, S)
        strips.append(blended.reshape(batch, colours, spacing, columns * spacing))  # (B, C, S, columns * S)
    return torch.cat(strips, 2)[..., :height, :width].contiguous()
