"""Task: what one training step does. Methods differ as Tasks; there is one `fit`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.training.losses import LOSSES
from unblemish.training.validation import Validation


class Batch:
    """What a step sees: damaged and clean patches on the training device.

    No tuple and no dataclass: Fabric would round the tensors in those to bfloat16 on their way in, targets included.

    Args:
        degraded: `(B, C, H / scale, W / scale)` float32, [0, 1]; C is 3, or 1 where the recipe's data are gray.
        clean: `(B, C, H, W)` float32, [0, 1].
        kinds: `(B,)` int64 on the CPU: which of the recipe's degradations damaged a patch, -1 for none. None where that
            is not known, as of pairs.
    """

    __slots__ = ("clean", "degraded", "kinds")

    def __init__(self, degraded: Tensor, clean: Tensor, kinds: Tensor | None = None) -> None:
        self.degraded = degraded
        self.clean = clean
        self.kinds = kinds


class Task(nn.Module, ABC):
    """One training objective around a network.

    A Task is a module so that its state (averaged copies, discriminators) is moved, wrapped for several
    devices and kept in checkpoints with the network. `forward` is `step`, since that is what wrappers call.
    """

    network: Network
    """The network that is trained, validated and shipped."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`step`."""
        return self.step(batch)

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Computes one step's objective.

        Returns:
            "loss": scalar to minimise; "output": `(B, C, H, W)` float32; further entries: scalars to log.
        """

    def after_step(self, step: int) -> None:
        """Called after the optimiser's step number `step` (from 1); the default does nothing."""

    def after_validation(self, scores: Mapping[str, float]) -> None:
        """Called after each validation with its scores, see `Validation.score`; the default does nothing."""

    def facts(self) -> dict[str, Any]:
        """What records of the training should say of the task besides its recipe, fit for JSON; by default nothing."""
        return {}

    def trainable(self) -> Iterable[nn.Parameter]:
        """The parameters that the optimiser changes."""
        return (p for p in self.parameters() if p.requires_grad)

    def rate_factors(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """The trainable parameters in parts, each with what its learning rate is of the recipe's; by default one."""
        return [(list(self.trainable()), 1.0)]

    def path(self, network: nn.Module, damage: str) -> nn.Module:
        """What restores pictures with a degradation in validation; by default the network itself.

        Args:
            network: A copy of `network` with averaged weights.
            damage: A name of `Validation.degraded`.
        """
        return network

    def score(
        self, network: nn.Module, validation: Validation, device: torch.device, batches: int | None = None
    ) -> dict[str, float]:
        """Scores of a validation, see `Validation.score`; tasks that do not restore have scores of their own.

        Args:
            network: A copy of `network` with averaged weights.
            validation: Has the pictures.
            device: Where the network is.
            batches: Only so many of them; None for all.

        Returns:
            Numbers by name; "gain" is what the best weights have most of.
        """
        return validation.score(network, device, batches, self.path)


class RestorationTask(Task):
    """Plain supervised restoration: a loss between the network's output and the clean patch."""

    def __init__(self, network: Network, loss: str) -> None:
        super().__init__()
        self.network = network
        self.loss = LOSSES[loss]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of the restored batch, computed in float32."""
        output = self.network(batch.degraded).float()
        return {"loss": self.loss(output, batch.clean), "output": output}


TaskBuilder = Callable[..., Task]
"""`build(recipe, use_start=...)`: the task of a recipe, with the network's starting weights if `use_start`."""
