"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch

from unblemish.networks.base import Network


class WeightAverage:
    """A frozen copy of a network that follows it: `average <- decay * average + (1 - decay) * weights`.

    In the first steps the decay is (1 + step) / (10 + step), where that is smaller, so that the random start
    is forgotten quickly. Buffers are those of the network.

    Args:
        network: The network to follow.
        decay: Weight of the old average, in [0, 1); 0 always equals the network.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Moves the average after optimiser step number `step` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for old, new in zip(self.network.parameters(), network.parameters(), strict=True):
            old.lerp_(new, 1 - decay)
        for old, new in zip(self.network.buffers(), network.buffers(), strict=True):
            old.copy_(new)
