"""SPN: the self-prior guided negative loss.

Source: "Learning from History: Task-agnostic Model Contrastive Learning for Image Restoration", Eq. 4 to 6. Restored
pictures are pushed away, in feature space, from what negative models restore: a subtraction, no ratio and no positive,
as the clean picture already pulls through the reconstruction loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.contrast.negatives import NegativeModels
from unblemish.networks.base import Network
from unblemish.training.embeddings import Embedding, Published
from unblemish.training.task import Batch

PUBLISHED = Published("vgg16", {"relu1_2": 0.2, "relu2_2": 0.3, "relu3_3": 0.5}, normalise=True)


class SelfPriorNegative(Contrast):
    """-lambda (1/N) sum_k sum_l a_l mean |phi_l(output) - phi_l(negative_k)| (Eq. 4 to 6).

    Args:
        embedding: phi with its layers and weights a_l.
        negatives: The N negative models.
        weight: lambda.
    """

    def __init__(self, embedding: Embedding, negatives: NegativeModels, weight: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.negatives = negatives
        self.weight = weight

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Contrast.forward`; logs "negative", the loss of Eq. 5."""
        self.negatives.observe(output, batch)
        with torch.no_grad():
            others = self.embedding(self.negatives.restore(batch.degraded))
        distances = self.embedding.weighed(self.embedding.distance(self.embedding(output), others))  # (N,)
        loss = distances.mean()
        return -self.weight * loss, {"negative": loss}

    def after_step(self, step: int, network: Network) -> None:
        """See `Contrast.after_step`: the negatives follow."""
        self.negatives.follow(step, network)

    def facts(self) -> dict[str, Any]:
        """See `Contrast.facts`."""
        return {"embedding": self.embedding.facts, "negatives": len(self.negatives.networks)}
