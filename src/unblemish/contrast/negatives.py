"""Negative models: networks of the same kind as the one that is trained, that restore the same damaged pictures worse.

Source: "Learning from History", Eq. 3 and Table 6; what the paper leaves open follows its released code: the weight is
that of the old negative, updates come after the optimiser's step, only parameters are averaged (buffers stay as they
are made), and at the start each negative is blended once with random weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.training.task import Batch

ADAPTIVE_DECAY = 0.001
"""Weight of the old negative in an adaptive refreshment."""


class NegativeModels(nn.Module):
    """Frozen networks in evaluation mode; the base of all kinds, which by itself never changes them.

    Args:
        networks: At least one.
        dtype: Of their weights; bfloat16 halves what they take.
    """

    def __init__(self, networks: Sequence[Network], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.networks = nn.ModuleList(network.to(dtype) for network in networks)
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> NegativeModels:
        """Stays in evaluation mode, whatever the task around it does."""
        del mode
        return super().train(False)

    @torch.no_grad()
    def restore(self, degraded: Tensor) -> Tensor:
        """What each makes of the same batch.

        Args:
            degraded: `(B, 3, H, W)`.

        Returns:
            `(N * B, 3, scale * H, scale * W)` float32, one batch after another.
        """
        return torch.cat([network(degraded).float() for network in self.networks])

    def observe(self, output: Tensor, batch: Batch) -> None:
        """Told of each restored batch before the optimiser's step."""

    def follow(self, step: int, network: Network) -> None:
        """Told of `network` after the optimiser's step number `step` (from 1)."""


class HistoryNegatives(NegativeModels):
    """Averages of the trained network's history: theta_k <- w theta_k + (1 - w) theta every s_k steps (Eq. 3).

    Args:
        network: What is trained, as it starts.
        fresh: Makes such a network with random weights.
        steps: s_k of each negative.
        decay: w, the weight of the old negative.
        initial: Share of the random weights at the start; 0 for a copy.
        dtype: Of the negatives' weights.
    """

    def __init__(
        self,
        network: Network,
        fresh: Callable[[], Network],
        *,
        steps: Sequence[int],
        decay: float,
        initial: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        negatives = [fresh() for _ in steps]
        for negative in negatives:
            _blend(negative, network, initial)
        super().__init__(negatives, dtype)
        self.steps = tuple(steps)
        self.decay = decay

    def follow(self, step: int, network: Network) -> None:
        """Updates the negatives whose turn it is, each on its own."""
        for negative, every in zip(self.networks, self.steps, strict=True):
            if step % every == 0:
                _blend(negative, network, self.decay)


class AdaptiveNegatives(HistoryNegatives):
    """Refreshes one negative, in turn, after each step whose restoration deviated strongly.

    The measure is that of the released code: the standard deviation of 2 (output - clean) in each picture, averaged
    over the batch (and over the devices). There the refreshment comes before the optimiser's step, here after it, as
    every update does.

    Args:
        network: As for `HistoryNegatives`.
        fresh: As for `HistoryNegatives`.
        threshold: From which deviation on; the released value is 0.022.
        steps: Only its length counts: one negative each.
        initial: As for `HistoryNegatives`.
        dtype: As for `HistoryNegatives`.
    """

    turn: Tensor

    def __init__(
        self,
        network: Network,
        fresh: Callable[[], Network],
        *,
        threshold: float,
        steps: Sequence[int],
        initial: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(network, fresh, steps=steps, decay=ADAPTIVE_DECAY, initial=initial, dtype=dtype)
        self.threshold = threshold
        self.register_buffer("turn", torch.zeros((), dtype=torch.long))
        self._deviates = False

    @torch.no_grad()
    def observe(self, output: Tensor, batch: Batch) -> None:
        """Notes whether this batch deviates."""
        deviation = (2 * (output - batch.clean)).flatten(1).std(dim=1).mean()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(deviation)
            deviation /= torch.distributed.get_world_size()
        self._deviates = bool(deviation > self.threshold)

    def follow(self, step: int, network: Network) -> None:
        """Refreshes the next negative if the last batch deviated."""
        if self._deviates:
            _blend(self.networks[int(self.turn)], network, self.decay)
            self.turn.copy_((self.turn + 1) % len(self.networks))


@torch.no_grad()
def _blend(old: nn.Module, new: nn.Module, weight: float) -> None:
    """Old <- weight * old + (1 - weight) * new, parameter by parameter."""
    for kept, current in zip(old.parameters(), new.parameters(), strict=True):
        kept.lerp_(current.to(kept), 1 - weight)
