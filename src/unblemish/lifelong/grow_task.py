"""The stage of LIRA's training in which a network learns one more task (Sec. 3.3, Eq. 18)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from torch import Tensor, nn

from unblemish.lifelong.growing import new_parameters, older_parameters, shared_parameters
from unblemish.lifelong.strategies import OldKnowledge
from unblemish.networks.lira import Lira
from unblemish.training.losses import Loss
from unblemish.training.task import Batch, Task


@final
class GrowTask(Task):
    """Learns the newest task of a network, and treats the older ones as a strategy says.

    Args:
        network: Has grown at least once; changed in place.
        loss: L_new.
        knowledge: The strategy.
        watched: Damage of older tasks, one each from the first on, by which validation chooses a task.
    """

    def __init__(self, network: Lira, loss: Loss, knowledge: OldKnowledge, watched: Sequence[str] = ()) -> None:
        super().__init__()
        self.network: Lira = network  # pyright: ignore[reportIncompatibleVariableOverride]
        self.loss = loss
        self.knowledge = knowledge
        self._done = 0
        self._watched = {name: task for task, name in enumerate(watched)}
        for parameters, factor in self._factors():
            for parameter in parameters:
                parameter.requires_grad_(factor > 0)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task.step`; "new" and "old" are the terms of Eq. 18, the latter weighted."""
        output = self.network.on_task(-1)(batch.degraded).float()
        new = self.loss(output, batch.clean)
        old = self.knowledge.loss(self.network, batch, self._done + 1)
        if old is None:
            return {"loss": new, "output": output}
        return {"loss": new + old, "output": output, "new": new.detach(), "old": old.detach()}

    def after_step(self, step: int) -> None:
        """Counts."""
        self._done = step

    def trainable(self) -> list[nn.Parameter]:
        """Those of `rate_factors`."""
        return [parameter for parameters, _ in self.rate_factors() for parameter in parameters]

    def rate_factors(self) -> list[tuple[list[nn.Parameter], float]]:
        """theta_P2 at full rate; theta_S and theta_P1 at the strategy's, where they may change at all (Sec. 4.2)."""
        return [(parameters, factor) for parameters, factor in self._factors() if factor > 0]

    def path(self, network: nn.Module, damage: str) -> nn.Module:
        """An older task for the damage that stands for it, else the newest one."""
        assert isinstance(network, Lira)  # a copy of self.network
        return network.on_task(self._watched.get(damage, -1))

    def get_extra_state(self) -> dict[str, Any]:
        """Steps done, for the checkpoint."""
        return {"done": self._done}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes that back."""
        self._done = state["done"]

    def _factors(self) -> list[tuple[list[nn.Parameter], float]]:
        return [
            (new_parameters(self.network), 1.0),
            (shared_parameters(self.network), self.knowledge.shared_factor),
            (older_parameters(self.network), self.knowledge.older_factor),
        ]
