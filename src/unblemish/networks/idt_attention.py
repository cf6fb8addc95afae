"""Relative position enhanced attention, the heart of IDT, over a grid of tokens of any size.

Source: Xiao, Fu, Liu, Wu, Zha, "Image De-raining Transformer", IEEE TPAMI 2022; details and deviations: see `idt.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PositionEnhancedAttention(nn.Module):
    """Attention between the tokens of a grid, which knows positions in two ways.

    `project(softmax(Q K^T / sqrt(d) + B) V + P(R))`: Q, K, V and R are linear in the tokens. B holds one number a
    head for every offset between two tokens, P is a depthwise convolution over the grid, then a pointwise one
    within each head. Grids of other sizes than `reach` are welcome: offsets beyond it share the outermost number.

    Args:
        dim: Channels of a token.
        heads: Attention heads; must divide `dim`.
        reach: Side of the largest grid, in tokens, all of whose offsets are told apart.
    """

    def __init__(self, dim: int, heads: int, reach: int) -> None:
        super().__init__()
        if heads < 1 or dim < 1 or dim % heads or reach < 1:
            raise ValueError(f"give heads that divide the {dim} channels and a reach from 1, not {heads} and {reach}")
        self.heads, self.reach = heads, reach
        margin = min(reach - 1, 2)
        self.expand = nn.Linear(dim, 4 * dim)
        self.table = nn.Parameter(torch.zeros(heads, 2 * reach - 1, 2 * reach - 1))
        self.near = nn.Conv2d(dim, dim, 2 * margin + 1, padding=margin, groups=dim)
        self.near_mix = nn.Conv2d(dim, dim, 1, groups=heads)
        self.project = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, dim)`, a grid of H by W tokens, to the same."""
        height, width, dim = x.shape[1:]
        joined = self.expand(x)  # (B, H, W, 4 * dim)
        content, place = joined.split((3 * dim, dim), dim=-1)
        content = content.unflatten(-1, (3, self.heads, -1)).flatten(1, 2)  # (B, H * W, 3, heads, dim / heads)
        query, key, value = content.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, H * W, dim / heads) each
        bias = self.bias(height, width).to(query.dtype)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias[None])
        mixed = mixed.transpose(1, 2).reshape(x.shape)  # (B, H, W, dim)
        near = self.near_mix(self.near(place.permute(0, 3, 1, 2)))  # (B, dim, H, W)
        return self.project(mixed + near.permute(0, 2, 3, 1))

    def bias(self, height: int, width: int) -> Tensor:
        """B for a grid of height by width tokens: `(heads, height * width, height * width)`, queries first."""
        rows = self._offsets(height)[:, None, :, None]  # (H, 1, H, 1)
        columns = self._offsets(width)[None, :, None, :]  # (1, W, 1, W)
        tokens = height * width
        return self.table[:, rows, columns].reshape(self.heads, tokens, tokens)  # from (heads, H, W, H, W)

    def _offsets(self, side: int) -> Tensor:
        """Where in the table the offset of each query to each key stands along one axis, `(side, side)`."""
        places = torch.arange(side, device=self.table.device)
        return (places[:, None] - places[None, :]).clamp(1 - self.reach, self.reach - 1) + self.reach - 1


def to_windows(x: Tensor, side: int) -> Tensor:
    """Cuts `(B, H, W, C)` into squares: `(B, H / side, W / side, side, side, C)`."""
    return x.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3)


def from_windows(x: Tensor) -> Tensor:
    """What `to_windows` cut, whole again: `(B, H / side, W / side, side, side, C)` to `(B, H, W, C)`."""
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)
