"""The search as a task: every step first moves the architecture on its own pictures, then the weights on theirs.

Source: CLEARER (Gou et al., NeurIPS 2020), Eq. 2 and Sec. 3.2, 4.1: bilevel optimisation as in DARTS (Liu et al., ICLR
2019), first order or unrolled by one step. Batch normalisation uses its running statistics while the architecture
moves, as in the released code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, final

import torch
from torch import Tensor

from unblemish.architecture_search.complexity import normalised
from unblemish.architecture_search.losses import architecture_loss, complexity_loss
from unblemish.architecture_search.unrolled import unrolled_gradients
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.losses import Loss
from unblemish.training.search_part import SearchPart
from unblemish.training.task import Batch, Task

ArchitectureBatches = Callable[[int, torch.device], Batch]
"""Makes the pictures that the architecture learns from in step number n (from 1), on a device."""


@final
class SearchTask(Task):
    """Learns the weights of a supernet and, after the warm-up, its architecture.

    `step` moves the logits with an Adam of its own, which the checkpoint keeps, and returns the weights' loss.

    Args:
        network: Changed in place.
        loss: L_Res of Eq. 2, for the weights and for the architecture.
        part: How to search.
        costs: `(columns, 2)` float64, see `complexity.measure_costs`.
        batches: What the architecture learns from; no picture of them is among those of the weights.
        rate: Learning rate of the weights in step number n (from 1), for the unrolled step.
        weight_decay: Of the weights, for the unrolled step.
    """

    costs: Tensor
    """`(columns, 2)`: what the modules cost, in the unit of `part.complexity`."""

    def __init__(
        self,
        network: MultiScaleSupernet,
        loss: Loss,
        part: SearchPart,
        *,
        costs: Tensor,
        batches: ArchitectureBatches,
        rate: Callable[[int], float],
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.part = part
        self.register_buffer("costs", costs)
        self._done = 0
        self._batches, self._rate, self._weight_decay = batches, rate, weight_decay
        self._logits = network.architecture_parameters()
        self._adam = torch.optim.Adam(self._logits, part.rate, part.betas, weight_decay=part.weight_decay)

    @property
    def supernet(self) -> MultiScaleSupernet:
        """`network`, as what it is."""
        return cast(MultiScaleSupernet, self.network)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """L_Res of the weights; further terms are the architecture's losses and each column's fusion alpha."""
        number = self._done + 1
        moved = self._move_architecture(batch, number) if number > self.part.warmup else {}
        output = self.network(batch.degraded).float()
        return {"loss": self.loss(output, batch.clean), "output": output, **moved, **self._alphas()}

    def after_step(self, step: int) -> None:
        """Counts."""
        self._done = step

    def trainable(self) -> list[torch.nn.Parameter]:
        """The weights: all parameters but the logits."""
        apart = {id(logits) for logits in self._logits}
        return [parameter for parameter in self.parameters() if id(parameter) not in apart]

    def facts(self) -> dict[str, Any]:
        """The size of the space."""
        return {"search": {"columns": len(self._logits), "architectures": 2 ** len(self._logits)}}

    def get_extra_state(self) -> dict[str, Any]:
        """Steps done and state of the architecture's optimiser, for the checkpoint."""
        return {"done": self._done, "adam": self._adam.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes that back; the optimiser's settings stay those of `part`."""
        self._done = state["done"]
        self._adam.load_state_dict({**state["adam"], "param_groups": self._adam.state_dict()["param_groups"]})

    def _move_architecture(self, batch: Batch, number: int) -> dict[str, Tensor]:
        """One step of the logits down the gradient of Eq. 2; its terms."""
        own = self._batches(number, batch.clean.device)
        self.network.eval()
        try:
            output = self.network(own.degraded).float()
            restoration = self.loss(output, own.clean)
            alphas = self.supernet.alphas()
            polarisation = architecture_loss(alphas)
            complexity = complexity_loss(alphas, normalised(self.costs, self.part.complexity_of))
            penalty = self.part.architecture_weight * polarisation + self.part.complexity_weight * complexity
            if self.part.second_order:
                gradients = unrolled_gradients(
                    self.supernet, self.loss, batch, own, rate=self._rate(number), weight_decay=self._weight_decay
                )
            else:
                gradients = torch.autograd.grad(restoration, self._logits)
        finally:
            self.network.train()
        added = torch.autograd.grad(penalty, self._logits)
        for logits, of_pictures, of_architecture in zip(self._logits, gradients, added, strict=True):
            logits.grad = of_pictures + of_architecture
        self._adam.step()
        self._adam.zero_grad()
        terms = {"loss": restoration, "polarisation": polarisation, "complexity": complexity}
        return {f"architecture/{name}": value.detach() for name, value in terms.items()}

    def _alphas(self) -> dict[str, Tensor]:
        """The fusion alpha of each column, by "alpha/CELL.COLUMN", both counted from 1."""
        named: dict[str, Tensor] = {}
        counts: dict[int, int] = {}
        for cell, column in self.supernet.mixed():
            counts[cell] = counts.get(cell, 0) + 1
            named[f"alpha/{cell + 1}.{counts[cell]}"] = column.alphas()[1].detach()
        return named
