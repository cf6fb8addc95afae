"""CCR: curricular contrastive regularisation, with the results of other restorers as negatives.

Source: Zheng et al., "Curricular Contrastive Regularization for Physics-aware Single Image Dehazing" (C2PNet), CVPR
2023, Sec. 3.2; constants follow its released code. There the negatives are pictures that were restored beforehand;
here their restorers run along, so that patches may be cut and damaged anew at every step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.contrast.negatives import NegativeModels
from unblemish.contrast.regularisation import SMALL, enlarged
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch

EASY, HARD = 1.25, 0.75
"""Weights of a negative that the network has surpassed, and of one that it has not."""


class CurricularContrast(Contrast):
    """beta sum_l w_l D_l(output, clean) / (sum_i v_i D_l(output, negative_i) + v_0 D_l(output, damaged)).

    v_i is `EASY` once the network's best validation score surpasses that of negative i, before that `HARD`; v_0 is the
    number of negatives; all are divided by their sum.

    Args:
        embedding: With layers and weights w_l.
        negatives: The other restorers.
        thresholds: PSNR in dB of each on the validation of this training.
        weight: beta.
    """

    best: Tensor

    def __init__(
        self, embedding: Embedding, negatives: NegativeModels, thresholds: Sequence[float], weight: float
    ) -> None:
        super().__init__()
        if len(thresholds) != len(negatives.networks):
            raise ValueError(f"{len(negatives.networks)} negatives need as many thresholds, not {len(thresholds)}")
        self.embedding = embedding
        self.negatives = negatives
        self.thresholds = tuple(thresholds)
        self.weight = weight
        self.register_buffer("best", torch.tensor(-math.inf))

    def shares(self) -> Tensor:
        """Weights of the negatives and, last, of the damaged picture: `(N + 1,)`, their sum is 1."""
        best = float(self.best)
        weights = [EASY if best > threshold else HARD for threshold in self.thresholds]
        shares = self.best.new_tensor([*weights, len(weights)])
        return shares / shares.sum()

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Contrast.forward`; logs "contrast", the sum before the weight."""
        with torch.no_grad():
            negatives = self.negatives.restore(batch.degraded)
            others = self.embedding(torch.cat([batch.clean, negatives, enlarged(batch)]))
        near, *far = self.embedding.distance(self.embedding(output), others)  # N + 2 of (layers,)
        away = (self.shares()[:, None] * torch.stack(far)).sum(dim=0)  # no matmul: autocast rounds
        loss = self.embedding.weighed(near / (away + SMALL))
        return self.weight * loss, {"contrast": loss}

    def after_validation(self, scores: Mapping[str, float]) -> None:
        """See `Contrast.after_validation`: keeps the best mean PSNR over the degradations.

        Where pictures are only shrunk, what is restored from those counts. The paper waits until PSNR and SSIM both
        improve; validations here compute PSNR alone.
        """
        counted = [score for name, score in scores.items() if name not in ("gain", "clean")] or [scores["clean"]]
        self.best.fill_(max(float(self.best), fmean(counted)))

    def facts(self) -> dict[str, Any]:
        """See `Contrast.facts`."""
        return {"embedding": self.embedding.facts, "negatives": len(self.thresholds)}
