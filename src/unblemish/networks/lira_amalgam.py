"""What joins LIRA's experts: gates, attention over the experts, and bidirectional sequential gating.

Source: Liu et al., "LIRA: Lifelong Image Restoration from Unknown Blended Distortions", Sec. 3.1 and 3.2, Eq. 2 to 7
and 10 to 13.

Deviations: the paper does not say what is inside a gate or an attention layer. A gate sees the feature, the global
feature and the picture, folded to their size; two convolutions with squeeze and excitation between them make its map.
Attention is two linear layers on the means of the global feature. Eq. 13 names phi where psi is meant.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.lira_blocks import Scales, Widths

GATES = ("all", "coarse", "none")
"""Which features are gated: of both scales, of the coarser one alone (the paper's "w/o half of gate layers"), none."""


class SqueezeExcitation(nn.Module):
    """Weighs channels by what their means say (Hu et al., CVPR 2018), reduced by four in between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // 4)
        self.weigh = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` to the same."""
        return x * self.weigh(x.mean(dim=(2, 3)))[:, :, None, None]


class Gate(nn.Module):
    """G of Eq. 2 and 3: a map in 0..1 for every value of a feature.

    Args:
        channels: C, of the feature and of the global feature.
        fold: How many times smaller than the picture they are.
    """

    def __init__(self, channels: int, fold: int) -> None:
        super().__init__()
        self.fold = fold
        self.map = nn.Sequential(
            nn.Conv2d(2 * channels + 3 * fold**2, channels, 3, padding=1),
            nn.ReLU(),
            SqueezeExcitation(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, feature: Tensor, shared: Tensor, picture: Tensor) -> Tensor:
        """The gated feature.

        Args:
            feature: s or q, `(B, C, H / fold, W / fold)`.
            shared: The global feature h or g, of the same shape.
            picture: `(B, 3, H, W)`.
        """
        seen = torch.cat([feature, shared, F.pixel_unshuffle(picture, self.fold)], dim=1)
        return self.map(seen) * feature


class Attention(nn.Module):
    """How much each source counts at each level, by the means of g (after Eq. 5)."""

    def __init__(self, channels: int, sources: int, levels: int) -> None:
        super().__init__()
        self.shape = (sources, levels)
        hidden = max(1, channels // 2)
        self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, sources * levels))

    def forward(self, shared: Tensor) -> Tensor:
        """`(B, channels, H / 4, W / 4)` to `(B, sources, levels)`; the sources' shares sum to one."""
        return self.layers(shared.mean(dim=(2, 3))).unflatten(1, self.shape).softmax(dim=1)


class Amalgam(nn.Module):
    """Gates and sums features of several sources, level by level (Eq. 2 to 5, and 10 to 13 for a grown network).

    Args:
        widths: Channels at half and at a quarter of the size.
        sources: N experts; or two, the old expert and a new one.
        levels: M / 2, features of each source.
        gates: One of `GATES`.
        attention: Weigh the sources by what the picture asks for; else they count alike.
    """

    def __init__(self, widths: Widths, sources: int, levels: int, gates: str, attention: bool) -> None:
        super().__init__()
        scales = {"fine": (widths.fine, 2), "coarse": (widths.coarse, 4)}
        gated = {"all": ("fine", "coarse"), "coarse": ("coarse",), "none": ()}[gates]
        self.gates = nn.ModuleDict(
            {
                scale: nn.ModuleList(nn.ModuleList(Gate(*scales[scale]) for _ in range(levels)) for _ in range(sources))
                for scale in gated
            }
        )
        self.attention = nn.ModuleDict(
            {scale: Attention(widths.coarse, sources, levels) for scale in (scales if attention else ())}
        )

    def forward(self, sources: Sequence[Sequence[Scales]], shared: Scales, picture: Tensor) -> list[Scales]:
        """The aggregated features V and F of every level.

        Args:
            sources: Features by source and level.
            shared: h and g.
            picture: `(B, 3, H, W)`, in the type of the weights.
        """
        joined = []
        for scale in Scales._fields:
            features = [[getattr(level, scale) for level in source] for source in sources]
            joined.append(self._join(scale, features, shared, picture))
        return [Scales(fine, coarse) for fine, coarse in zip(*joined, strict=True)]

    def _join(self, scale: str, features: list[list[Tensor]], shared: Scales, picture: Tensor) -> list[Tensor]:
        """Of one scale: a sum over the sources for each level."""
        if scale in self.gates:
            features = [
                [gate(one, getattr(shared, scale), picture) for gate, one in zip(gates, source, strict=True)]
                for gates, source in zip(self.gates[scale], features, strict=True)  # pyright: ignore[reportArgumentType]
            ]
        if scale not in self.attention:
            return [torch.stack(level).mean(dim=0) for level in zip(*features, strict=True)]
        shares = self.attention[scale](shared.coarse)[..., None, None, None]  # (B, sources, levels, 1, 1, 1)
        return [
            sum((shares[:, i, j] * one for i, one in enumerate(level)), start=torch.zeros_like(level[0]))
            for j, level in enumerate(zip(*features, strict=True))
        ]


class SequentialGate(nn.Module):
    """SGU of Eq. 6: the active input decides how much of itself and of the passive input passes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.decide = nn.Conv2d(channels, 2 * channels, 3, padding=1)

    def forward(self, active: Tensor, passive: Tensor) -> Tensor:
        """Two times `(B, C, H, W)` to one."""
        own, other = self.decide(active).sigmoid().chunk(2, dim=1)
        return own * active + other * passive


class BidirectionalGates(nn.Module):
    """Bi-SGU of Eq. 7: levels gate one another from the first to the last and back, and a convolution joins both.

    Args:
        channels: C.
        levels: M / 2.
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.forth = nn.ModuleList(SequentialGate(channels) for _ in range(levels - 1))
        self.back = nn.ModuleList(SequentialGate(channels) for _ in range(levels - 1))
        self.join = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """`(B, C, H, W)` of each level to one."""
        last, first = levels[0], levels[-1]
        for gate, level in zip(self.forth, levels[1:], strict=True):
            last = gate(level, last)
        for gate, level in zip(self.back, reversed(levels[:-1]), strict=True):
            first = gate(level, first)
        return self.join(torch.cat([last, first], dim=1))


class Stack(nn.Module):
    """What stands for the Bi-SGU in the paper's ablation: one convolution over all levels; nothing for a single one."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(levels * channels, channels, 3, padding=1) if levels > 1 else nn.Identity()

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """`(B, C, H, W)` of each level to one."""
        return self.join(torch.cat([*levels], dim=1))
