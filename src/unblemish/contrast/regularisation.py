"""CR: contrastive regularisation, with the damaged picture as the negative.

Source: Wu et al., "Contrastive Learning for Compact Single Image Dehazing" (AECR-Net), CVPR 2021, Eq. 4 and 5; the
small constant and the choice not to normalise what VGG sees follow its released code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.degradations.resampling import resized
from unblemish.training.embeddings import Embedding, Published
from unblemish.training.task import Batch

PUBLISHED = Published(
    "vgg19", {"relu1_1": 1 / 32, "relu2_1": 1 / 16, "relu3_1": 1 / 8, "relu4_1": 1 / 4, "relu5_1": 1.0}, normalise=False
)
"""For CR, CCR and PCL."""

SMALL = 1e-7
"""Added to distances that are divided by."""


class ContrastiveRegularisation(Contrast):
    """beta sum_l w_l D_l(output, clean) / D_l(output, damaged), D_l being the mean absolute difference in layer l.

    Args:
        embedding: With layers and weights w_l.
        weight: beta.
    """

    def __init__(self, embedding: Embedding, weight: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.weight = weight

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Contrast.forward`; logs "contrast", the sum before the weight."""
        with torch.no_grad():
            others = self.embedding(torch.cat([batch.clean, enlarged(batch)]))
        near, far = self.embedding.distance(self.embedding(output), others)  # twice (layers,)
        loss = self.embedding.weighed(near / (far + SMALL))
        return self.weight * loss, {"contrast": loss}

    def facts(self) -> dict[str, Any]:
        """See `Contrast.facts`."""
        return {"embedding": self.embedding.facts}


def enlarged(batch: Batch) -> Tensor:
    """The damaged pictures at the clean ones' size: `(B, 3, H, W)` in [0, 1], bicubic where they are smaller."""
    height, width = batch.clean.shape[-2:]
    if batch.degraded.shape == batch.clean.shape:
        return batch.degraded
    with torch.autocast(batch.clean.device.type, enabled=False):
        return resized(batch.degraded, height, width).clamp(0.0, 1.0)
