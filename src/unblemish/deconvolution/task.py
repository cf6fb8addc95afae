"""The two stages of training a Golf Optimizer, as Tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from unblemish.deconvolution.criterion import Criterion
from unblemish.networks.base import Network
from unblemish.networks.golf import GolfOptimizer
from unblemish.training.task import Batch, Task


class CriterionTask(Task):
    """Restoration by a content loss and a perceptual one: the first stage, F (Eq. 6), or any other network.

    Args:
        network: Restores.
        criterion: Both losses.
    """

    def __init__(self, network: Network, criterion: Criterion) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task.step`; further entries are the criterion's terms."""
        output = self.network(batch.degraded).float()
        loss, terms = self.criterion(output, batch.clean)
        return {"loss": loss, "output": output, **terms}

    def facts(self) -> dict[str, object]:
        """See `Task.facts`."""
        return self.criterion.facts()


class CorrectionTask(Task):
    """The second stage: G, applied N times in a row to what F returns, which is not trained (Eq. 4).

    The loss is averaged over all N results; gradients flow through all N steps.

    Args:
        network: F and G; F is frozen here.
        criterion: Loss of one result.
        iterations: N.
    """

    def __init__(self, network: GolfOptimizer, criterion: Criterion, iterations: int) -> None:
        super().__init__()
        network.first.requires_grad_(False)
        self.network: GolfOptimizer = network  # pyright: ignore[reportIncompatibleVariableOverride]
        self.criterion = criterion
        self.iterations = iterations

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task.step`; "iteration_1" to "iteration_N" are the losses of each result, "output" is the last one."""
        with torch.no_grad():
            x = self.network.first(batch.degraded)
        losses = []
        for _ in range(self.iterations):
            x = self.network.corrector(x).float()
            losses.append(self.criterion(x, batch.clean)[0])
        each = {f"iteration_{number}": loss.detach() for number, loss in enumerate(losses, start=1)}
        return {"loss": torch.stack(losses).mean(), "output": x, **each}

    def facts(self) -> dict[str, object]:
        """See `Task.facts`."""
        return self.criterion.facts()
