"""Attention within shifted windows that continue a picture by its mirror image.

Source: Song, He, Qian, Du, "Vision Transformers for Single Image Dehazing", IEEE TIP 2023 (arXiv 2204.03883), its
shifted windows with reflection padding. Swin shifts its windows around the edge of the picture and has to mask what
then meets from opposite sides; here the picture is mirrored at its edges instead, and every window is full.

Deviations: a picture narrower than the padding is mirrored over and over, where the published code fails. The
relative positions pass their little network once each (225 of them) rather than once a pair of pixels (4096). That
network ends without a bias, as one value added to a whole row changes no softmax. The attention is written out: on a
CPU in bfloat16, `scaled_dot_product_attention` with a mask to be trained takes two to three times as long.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POSITION_HIDDEN = 256
"""Hidden units of the network that turns relative positions into biases."""


def mirror(x: Tensor, before: int, height: int, width: int) -> Tensor:
    """Continues a picture by its mirror image, the edge itself not repeated, over and over where it is too small.

    Args:
        x: `(B, C, H, W)`, H and W from 1.
        before: Pixels wanted above and to the left.
        height: Rows wanted in all.
        width: Columns wanted in all.

    Returns:
        `(B, C, height, width)`.
    """
    if not torch.compiler.is_compiling():  # exported, a network must not branch on the size
        below, right = height - before - x.shape[-2], width - before - x.shape[-1]
        if not (before or below or right):
            return x
        if max(before, below) < x.shape[-2] and max(before, right) < x.shape[-1]:
            return F.pad(x, (before, right, before, below), mode="reflect")
    rows = _mirrored(x.shape[-2], before, height, x)
    columns = _mirrored(x.shape[-1], before, width, x)
    return x.index_select(2, rows).index_select(3, columns)


def _mirrored(length: int, before: int, total: int, like: Tensor) -> Tensor:
    """Which of `length` rows lies at each of `total` places, the first of them `before` the first row: `(total,)`."""
    places = (torch.arange(total, device=like.device) - before).abs()
    period = torch.full((1,), 2 * length - 2, device=like.device).clamp(min=1)  # there and back; one row stays put
    places = places % period
    return torch.minimum(places, period - places)


class PositionBias(nn.Module):
    """What a pixel of a window adds to the attention it pays another, by where that lies from it.

    Offsets between pixels are taken as the logarithm of one more than their size, with their sign, and go through a
    network of one hidden layer.

    Args:
        heads: Attention heads.
        window: Side of the windows, pixels.
    """

    positions: Tensor
    pairs: Tensor

    def __init__(self, heads: int, window: int) -> None:
        super().__init__()
        self.expand = nn.Linear(2, POSITION_HIDDEN)
        self.reduce = nn.Linear(POSITION_HIDDEN, heads, bias=False)
        span = 2 * window - 1
        offsets = torch.arange(span) - (window - 1)
        grid = torch.cartesian_prod(offsets, offsets)  # (span^2, 2)
        self.register_buffer("positions", grid.sign() * torch.log1p(grid.abs()), persistent=False)
        pixels = torch.cartesian_prod(torch.arange(window), torch.arange(window))  # (window^2, 2)
        vertical, horizontal = (pixels[:, None] - pixels[None] + window - 1).unbind(-1)  # (window^2, window^2) each
        self.register_buffer("pairs", vertical * span + horizontal, persistent=False)

    def forward(self) -> Tensor:
        """`(heads, window^2, window^2)`, of the dtype of the weights: from which pixel, to which."""
        table = self.reduce(F.relu(self.expand(self.positions)))  # (span^2, heads)
        return table.t()[:, self.pairs]


class WindowAttention(nn.Module):
    """Multi-head attention between the pixels of each window, for every window of a picture.

    Args:
        channels: C.
        heads: Attention heads; they share the channels evenly.
        window: Side of the windows, pixels.
        shift: Pixels by which the first window begins above and to the left of the picture.
    """

    def __init__(self, channels: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.shift = shift
        self.strength = (channels // heads) ** -0.5
        self.position_bias = PositionBias(heads, window)

    def forward(self, joined: Tensor) -> Tensor:
        """Queries, keys and values, one after the other, `(B, 3C, H, W)`, to `(B, C, H, W)`."""
        batch, _, height, width = joined.shape
        side, shift = self.window, self.shift
        down, across = ((size + shift + side - 1) // side for size in (height, width))
        joined = mirror(joined, shift, down * side, across * side).permute(0, 2, 3, 1)  # (B, H', W', 3C)
        parted = joined.reshape(batch, down, side, across, side, 3, self.heads, -1)
        parted = parted.permute(5, 0, 1, 3, 6, 2, 4, 7)  # (3, B, down, across, heads, side, side, C / heads)
        query, key, value = parted.flatten(5, 6).flatten(1, 3).unbind(0)  # (windows, heads, side^2, C / heads) each
        likeness = (query * self.strength) @ key.transpose(-2, -1)  # (windows, heads, side^2, side^2)
        weights = torch.softmax(likeness + self.position_bias().to(likeness.dtype), dim=-1)
        mixed = (weights @ value).reshape(batch, down, across, self.heads, side, side, -1)
        mixed = mixed.permute(0, 3, 6, 1, 4, 2, 5)  # (B, heads, C / heads, down, side, across, side)
        mixed = mixed.reshape(batch, -1, down * side, across * side)  # (B, C, H', W')
        return mixed[:, :, shift : shift + height, shift : shift + width]
