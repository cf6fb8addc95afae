"""Attention within the windows of a picture, as Swin transformers compute it.

Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021, Eq. 4 and
Fig. 4; used by Liang et al., "SwinIR", ICCVW 2021, Fig. 2b.

Deviations: none in what is computed. After the cyclic shift only the windows of the last row and of the last column
hold pixels that were no neighbours. The mask that keeps those apart is the same for every picture size, so that
four kinds of windows are attended to in four calls; a mask for each window would take more memory than the scores.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 8
"""Side of a window in pixels."""

SHIFT = WINDOW // 2
"""Pixels that shifted windows lie further down and to the right."""


class WindowAttention(nn.Module):
    """Multi-head attention between the pixels of each 8x8 window, with a learned bias for their relative position.

    Args:
        width: Channels.
        heads: Attention heads; must divide the channels.
        shifted: Whether windows lie half a window further down and to the right. The picture's ends are attended
            to in the parts of windows that remain there.
    """

    relative_position_index: Tensor
    apart: Tensor

    def __init__(self, width: int, heads: int, *, shifted: bool) -> None:
        super().__init__()
        self.heads = heads
        self.shifted = shifted
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.register_buffer("relative_position_index", _relative_positions(), persistent=False)
        self.register_buffer("apart", _apart(), persistent=False)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, width)` to the same, H and W multiples of the window."""
        if self.shifted:
            x = x.roll((-SHIFT, -SHIFT), dims=(1, 2))
        y = x.unflatten(2, (-1, WINDOW)).unflatten(1, (-1, WINDOW))  # (B, rows, 8, columns, 8, width)
        y = y.transpose(2, 3).flatten(3, 4)  # (B, rows, columns, 64, width)
        y = self.proj(self._attend(self.qkv(y)))
        y = y.unflatten(3, (WINDOW, WINDOW)).transpose(2, 3)  # (B, rows, 8, columns, 8, width)
        y = y.flatten(3, 4).flatten(1, 2)  # (B, H, W, width)
        return y.roll((SHIFT, SHIFT), dims=(1, 2)) if self.shifted else y

    def _attend(self, joined: Tensor) -> Tensor:
        """Queries, keys and values `(B, rows, columns, 64, 3 * width)` to `(B, rows, columns, 64, width)`."""
        bias = self.relative_position_bias_table[self.relative_position_index]  # (64, 64, heads)
        bias = bias.permute(2, 0, 1).to(joined.dtype)  # (heads, 64, 64)
        if not self.shifted:
            return self._attend_alike(joined, bias)
        inner, right, below, corner = bias.masked_fill(self.apart[:, None], -torch.inf)  # (heads, 64, 64) each
        upper = torch.cat(
            [self._attend_alike(joined[:, :-1, :-1], inner), self._attend_alike(joined[:, :-1, -1:], right)], dim=2
        )
        lower = torch.cat(
            [self._attend_alike(joined[:, -1:, :-1], below), self._attend_alike(joined[:, -1:, -1:], corner)], dim=2
        )
        return torch.cat([upper, lower], dim=1)

    def _attend_alike(self, joined: Tensor, bias: Tensor) -> Tensor:
        """`_attend` for windows of one kind, bias `(heads, 64, 64)`."""
        parts = joined.flatten(0, 2).unflatten(-1, (3, self.heads, -1))  # (windows, 64, 3, heads, c)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (windows, heads, 64, c) each
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias[None])
        return mixed.transpose(1, 2).flatten(2).unflatten(0, joined.shape[:3])  # (B, rows, columns, 64, width)


def _relative_positions() -> Tensor:
    """Which of the (2 * 8 - 1)^2 biases is for query i and key j: `(64, 64)`."""
    place = torch.arange(WINDOW**2)
    row, column = place // WINDOW, place % WINDOW
    down = row[:, None] - row + WINDOW - 1
    right = column[:, None] - column + WINDOW - 1
    return down * (2 * WINDOW - 1) + right


def _apart() -> Tensor:
    """Which pairs of pixels the cyclic shift made neighbours, in windows inside, right, below and in the corner.

    Returns:
        `(4, 64, 64)`, bool.
    """
    place = torch.arange(WINDOW**2)
    came_round = torch.stack([place // WINDOW, place % WINDOW]) >= WINDOW - SHIFT  # (2, 64): over the edge below, right
    below, right = came_round[:, :, None] != came_round[:, None, :]  # (64, 64) each
    return torch.stack([torch.zeros_like(below), right, below, below | right])
