"""PCL: practical contrastive learning for super-resolution, with positives and negatives made from the clean picture.

Source: Wu, Jiang, Liu, "A Practical Contrastive Learning Framework for Single-Image Super-Resolution", TNNLS 2023.
Positives are the clean picture and sharpened versions, negatives the enlarged damaged picture and slightly blurred
clean ones, hard since they are nearly right. The ratio of mean distances in VGG's features is used, one of the forms of
the released code; its embedding that is trained as a discriminator is not.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.contrast.regularisation import SMALL, enlarged
from unblemish.degradations.filtering import filter_separably, gaussian_taps
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch

SHARPNESS = (0.5, 5.5)
"""Range of sharpening factors of the released code; 1 changes nothing."""

BLUR = (0.3, 1.5)
"""Range of the standard deviations of slight blur, pixels: our choice, the paper names none."""


class PracticalContrast(Contrast):
    """lambda sum_l w_l mean_p D_l(output, positive_p) / mean_n D_l(output, negative_n).

    Args:
        embedding: With layers and weights w_l.
        positives: Sharpened clean pictures.
        negatives: Blurred clean pictures.
        weight: lambda.
    """

    def __init__(self, embedding: Embedding, positives: int, negatives: int, weight: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.positives, self.blurred = positives, negatives
        self.weight = weight

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Contrast.forward`; logs "contrast", the sum before the weight."""
        with torch.no_grad():
            with torch.autocast(output.device.type, enabled=False):
                sharp = [sharpened(batch.clean, _drawn(SHARPNESS, batch.clean)) for _ in range(self.positives)]
                soft = [blurred(batch.clean, _drawn(BLUR, batch.clean)) for _ in range(self.blurred)]
            others = self.embedding(torch.cat([batch.clean, *sharp, enlarged(batch), *soft]))
        distances = self.embedding.distance(self.embedding(output), others)  # (positives and negatives, layers)
        near, far = distances[: 1 + self.positives].mean(dim=0), distances[1 + self.positives :].mean(dim=0)
        loss = self.embedding.weighed(near / (far + SMALL))
        return self.weight * loss, {"contrast": loss}

    def facts(self) -> dict[str, Any]:
        """See `Contrast.facts`."""
        return {"embedding": self.embedding.facts, "positives": 1 + self.positives, "negatives": 1 + self.blurred}


def sharpened(pictures: Tensor, factor: Tensor) -> Tensor:
    """Pictures moved away from their smoothed versions: smooth + factor (picture - smooth), in [0, 1].

    Args:
        pictures: `(B, 3, H, W)`.
        factor: `(B,)`; 0 smooths, 1 changes nothing, more sharpens.
    """
    kernel = pictures.new_tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13
    padded = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    smooth = F.conv2d(padded, kernel.expand(3, 1, 3, 3), groups=3)
    return smooth.lerp(pictures, factor.to(pictures)[:, None, None, None]).clamp(0.0, 1.0)


def blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of `(B, 3, H, W)` with a standard deviation for each picture, `(B,)` pixels."""
    return filter_separably(pictures, gaussian_taps(sigma, 9), "reflect")


def _drawn(bounds: tuple[float, float], pictures: Tensor) -> Tensor:
    """`(B,)` uniform numbers on the CPU, from PyTorch's generator, which is set at every step."""
    least, most = bounds
    return least + (most - least) * torch.rand(len(pictures))
