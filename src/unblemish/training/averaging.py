"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """A frozen copy of a network that follows it: `average <- decay * average + (1 - decay) * weights`.

    In the first steps the decay is (1 + step) / (10 + step), where that is smaller, so that the random start is
    forgotten quickly.

    Args:
        network: The network to follow.
        decay: Weight of the old average, in [0, 1); 0 always equals the network.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Moves the average after optimiser step number `step` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, current = list(self.network.parameters()), [p.detach() for p in network.parameters()]
        torch._foreach_lerp_(averaged, current, 1 - decay)
        for old, new in zip(self.network.buffers(), network.buffers(), strict=True):
            old.copy_(new)
