"""The contract of contrastive losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.training.task import Batch


class Contrast(nn.Module, ABC):
    """A term besides the reconstruction loss that compares the restored batch with negatives (and positives).

    A module, so that what it learns from the training (negative models, the best score so far) is moved with the task
    and kept in checkpoints. Embedding networks are frozen, and no part of it.
    """

    weight: float
    """Factor on the term in the total loss."""

    @abstractmethod
    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The term for one restored batch; its gradient flows through `output` alone.

        Args:
            output: `(B, 3, H, W)` float32, the restored batch, not clamped.
            batch: What it was restored from, and the clean batch.

        Returns:
            Scalar to add to the loss, `weight` and sign included; and scalars to log.
        """

    def after_step(self, step: int, network: Network) -> None:
        """Called after the optimiser's step number `step` (from 1) changed `network`; the default does nothing."""

    def after_validation(self, scores: Mapping[str, float]) -> None:
        """Called with the scores of each validation, see `training.validation`; the default does nothing."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What records must say besides the recipe, such as the embedding that was found; fit for JSON."""
