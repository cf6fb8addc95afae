"""The first stage of LIRA's training: experts that specialise in one damage each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from unblemish.lifelong.errors import LifelongError
from unblemish.networks.lira import Lira
from unblemish.training.losses import Loss
from unblemish.training.task import Batch, Task


@final
class ExpertsTask(Task):
    """Every patch is restored by the expert of its damage; extractor and decoder are shared by all (Sec. 3.1).

    What joins the experts stays as it was drawn: the base network's own training teaches it.

    Args:
        network: Has not grown; changed in place.
        loss: Of restored patches.
        degradations: One for each expert, in the experts' order.

    Raises:
        LifelongError: There are more or fewer degradations than experts, or the network has grown.
    """

    def __init__(self, network: Lira, loss: Loss, degradations: Sequence[str]) -> None:
        super().__init__()
        if network.grown or len(degradations) != network.base_experts:
            raise LifelongError(
                f"{network.base_experts} experts learn one degradation each, before the network grows: give as many "
                f"degradations.names, not {', '.join(degradations) or 'none'}, and network.options.grown=0"
            )
        self.network: Lira = network  # pyright: ignore[reportIncompatibleVariableOverride]
        self.loss = loss
        self._numbers = {name: number for number, name in enumerate(degradations)}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task.step`; undamaged patches are shared out among the experts."""
        if batch.kinds is None:
            raise LifelongError("experts learn made damage: leave data.pairs out")
        others = torch.arange(len(batch.kinds)) % len(self._numbers)
        experts = torch.where(batch.kinds < 0, others, batch.kinds)
        output = self.network.by_experts(batch.degraded, experts).float()
        return {"loss": self.loss(output, batch.clean), "output": output}

    def trainable(self) -> list[nn.Parameter]:
        """The experts, and the base network's extractor and decoder."""
        branch = self.network.branch(0)
        parts = (self.network.experts, branch.extractor, branch.decoder)
        return [parameter for part in parts for parameter in part.parameters()]

    def path(self, network: nn.Module, damage: str) -> nn.Module:
        """The expert of a damage; the first one for what none has learnt."""
        assert isinstance(network, Lira)  # a copy of self.network
        return network.on_expert(self._numbers.get(damage, 0))
