"""Any task, with a contrastive loss besides its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.networks.base import Network
from unblemish.training.task import Batch, Task


class ContrastTask(Task):
    """The loss of another task plus a contrastive term on the same restored batch (Eq. 6 for SPN).

    Args:
        inner: Restores, and says its own loss.
        contrast: The term.
    """

    def __init__(self, inner: Task, contrast: Contrast) -> None:
        super().__init__()
        self.inner = inner
        self.contrast = contrast

    @property
    def network(self) -> Network:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The network of the inner task."""
        return self.inner.network

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """The inner task's step; "reconstruction" is its own loss, further entries are the contrastive term's."""
        terms = self.inner.step(batch)
        term, logged = self.contrast(terms["output"], batch)
        return {**terms, "loss": terms["loss"] + term, "reconstruction": terms["loss"], **logged}

    def after_step(self, step: int) -> None:
        """See `Task.after_step`."""
        self.inner.after_step(step)
        self.contrast.after_step(step, self.network)

    def after_validation(self, scores: Mapping[str, float]) -> None:
        """See `Task.after_validation`."""
        self.inner.after_validation(scores)
        self.contrast.after_validation(scores)

    def facts(self) -> dict[str, Any]:
        """See `Task.facts`."""
        return {**self.inner.facts(), "contrast": self.contrast.facts()}
