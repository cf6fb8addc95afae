"""How a growing network treats what it knew: LIRA's strategy and those it is compared with (Sec. 4.5).

A strategy says how fast old weights may change, and what loss of the old tasks is added to the new one's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn

from unblemish.lifelong.growing import shared_parameters
from unblemish.lifelong.pseudo_samples import pseudo_pairs
from unblemish.networks.base import Network
from unblemish.networks.lira import Lira
from unblemish.training.losses import Loss
from unblemish.training.task import Batch

OldBatches = Callable[[int, int, torch.device], Batch]
"""Makes the real pictures of an old task that are seen in step number n (from 1), on a device."""


class OldKnowledge(nn.Module, ABC):
    """A strategy. It is a module so that its frozen networks move with the network and are kept in checkpoints.

    Attributes:
        shared_factor: Learning rate of the weights that old and new tasks share, over that of new weights; 0 freezes
            them.
        older_factor: The same of what older tasks have of their own.
    """

    shared_factor: float
    older_factor: float

    @abstractmethod
    def loss(self, network: Lira, batch: Batch, step: int) -> Tensor | None:
        """What is added to the new task's loss, weighted; None where the old tasks are not looked at.

        Args:
            network: While it grows.
            batch: Of the new task.
            step: Its number, from 1.
        """


@final
class Unprotected(OldKnowledge):
    """The new task's loss alone: setting A with a lowered rate, fine-tuning with a full one, progressive with none.

    Args:
        shared_factor: See `OldKnowledge`.
    """

    def __init__(self, shared_factor: float) -> None:
        super().__init__()
        self.shared_factor, self.older_factor = shared_factor, 0.0

    def loss(self, network: Lira, batch: Batch, step: int) -> None:
        """Nothing."""


@final
class Consolidation(OldKnowledge):
    """EWC (Kirkpatrick et al., PNAS 2017): shared weights are held where they were, the more the more they matter.

    Args:
        importance: Fisher information of each shared parameter, see `importance.fisher_information`.
        start: The network before it learns; where weights are held.
        weight: lambda.
    """

    def __init__(self, importance: Sequence[Tensor], start: Lira, weight: float) -> None:
        super().__init__()
        self.shared_factor, self.older_factor, self.weight = 1.0, 0.0, weight
        for number, (fisher, value) in enumerate(zip(importance, shared_parameters(start), strict=True)):
            self.register_buffer(f"importance_{number}", fisher)
            self.register_buffer(f"anchor_{number}", value.detach().clone())

    def loss(self, network: Lira, batch: Batch, step: int) -> Tensor:
        """Lambda / 2 * sum of F (theta - theta*)^2."""
        held = dict(self.named_buffers())
        terms = [
            (held[f"importance_{number}"] * (value - held[f"anchor_{number}"]).square()).sum()
            for number, value in enumerate(shared_parameters(network))
        ]
        return self.weight / 2 * torch.stack(terms).sum()


class _Reminded(OldKnowledge):
    """Old tasks are trained on besides the new one; their rate is lowered, and their losses' mean is weighted.

    Args:
        ratio: rho, of all old weights.
        weight: lambda_2.
        loss: Between two pictures.
    """

    def __init__(self, ratio: float, weight: float, loss: Loss) -> None:
        super().__init__()
        self.shared_factor = self.older_factor = ratio
        self.weight, self._distance = weight, loss

    def loss(self, network: Lira, batch: Batch, step: int) -> Tensor:
        """Of all old tasks, weighted."""
        losses = []
        for task in range(network.grown):
            damaged, wanted = self.pairs(task, batch, step)
            losses.append(self._distance(network.on_task(task)(damaged).float(), wanted))
        return self.weight * torch.stack(losses).mean()

    @abstractmethod
    def pairs(self, task: int, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """What an old task is reminded of: damaged pictures and what it should make of them, each `(B, 3, H, W)`."""


@final
class Distillation(_Reminded):
    """LwF (Li and Hoiem, TPAMI 2018): on the new task's pictures, old tasks should answer as they did.

    Args:
        old: The network before it learns, frozen.
        ratio: rho.
        weight: lambda_2.
        loss: Between two pictures.
    """

    def __init__(self, old: Lira, ratio: float, weight: float, loss: Loss) -> None:
        super().__init__(ratio, weight, loss)
        self.old = old

    def pairs(self, task: int, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """x_2 and R(x_2)."""
        with torch.no_grad():
            return batch.degraded, self.old.on_task(task)(batch.degraded).float().clamp(0.0, 1.0)


@final
class Rehearsal(_Reminded):
    """Joint learning, setting B: old tasks see their own pictures again, which others must do without.

    Args:
        batches: By old task.
        ratio: rho.
        weight: lambda_2.
        loss: Between two pictures.
    """

    def __init__(self, batches: OldBatches, ratio: float, weight: float, loss: Loss) -> None:
        super().__init__(ratio, weight, loss)
        self._batches = batches

    def pairs(self, task: int, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """x_1 and y_1."""
        own = self._batches(task, step, batch.clean.device)
        return own.degraded, own.clean


@final
class Replay(_Reminded):
    """LIRA, setting C: old tasks see what generators make of the new task's clean pictures (Eq. 18).

    Args:
        generators: G*, one for each old task, frozen.
        old: R, the network before it learns, frozen.
        ratio: rho.
        weight: lambda_2.
        loss: Between two pictures.
    """

    def __init__(self, generators: Sequence[Network], old: Lira, ratio: float, weight: float, loss: Loss) -> None:
        super().__init__(ratio, weight, loss)
        self.generators, self.old = nn.ModuleList(generators), old

    def pairs(self, task: int, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """G*(y_2) and R(G*(y_2))."""
        return pseudo_pairs(self.generators[task], self.old.on_task(task), batch.clean)


UNPROTECTED: Mapping[str, float] = {"fine_tuning": 1.0, "progressive": 0.0}
"""Strategies that are nothing but a rate of the shared weights; setting A's is the recipe's."""
