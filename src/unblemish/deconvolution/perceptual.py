"""The perceptual loss: how far apart the deep features of two pictures are.

Source: "A Deep Optimization Approach for Image Deconvolution" (Golf Optimizer), Sec. 5.2; the idea is that of Johnson
et al., ECCV 2016. The paper prints L_p = ||P(x) - P(x~)||^2 / (w h d), P being the fifth max-pooled feature map of a
VGG-11 with batch normalisation, and says (Sec. 6.1) that lambda = 5e-6 brings lambda L_p into [1e-2, 1e-1]. As a mean
it is thousands of times too small for that, as a sum over the feature map it fits, so the sum is the default here
(`recipes/golf_loss_scale.py` measures it). What P sees, the paper does not say: here pictures in [-1, 1], the range of
L_c, without ImageNet's mean and deviation taken out. Measured sizes bear out that range for L_c, and allow it for P.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from unblemish.training.embeddings import Embedding, Published

PUBLISHED = Published("vgg11_bn", {"pool5": 1.0}, normalise=False, signed=True)


class PerceptualLoss:
    """L_p, not weighed: squared differences of features, summed over layers with their weights, a mean over pictures.

    Not a module: the embedding is frozen and published, and no part of checkpoints.

    Args:
        embedding: P with its layers and weights.
        reduction: "sum" or "mean" over each picture's feature map.
    """

    def __init__(self, embedding: Embedding, reduction: Literal["sum", "mean"] = "sum") -> None:
        self.embedding = embedding
        self.reduction: Literal["sum", "mean"] = reduction

    def __call__(self, output: Tensor, clean: Tensor) -> Tensor:
        """The loss; its gradient flows through `output` alone.

        Args:
            output: `(B, C, H, W)` float32, restored pictures, white at 1; C is 3, or 1 for gray ones.
            clean: `(B, C, H, W)` float32, [0, 1].

        Returns:
            Scalar, float32.

        Raises:
            NetworkError: The pictures are too small for the layers; 32 pixels are enough for all of VGG.
        """
        with torch.no_grad():
            wanted = self.embedding(_coloured(clean))
        found = self.embedding(_coloured(output))
        each = [self._reduced(one.float() - other.float()) for one, other in zip(found, wanted, strict=True)]
        return self.embedding.weighed(torch.stack(each))

    def facts(self) -> dict[str, Any]:
        """What records must say besides the recipe: the embedding that was found; fit for JSON."""
        return {"embedding": self.embedding.facts}

    def _reduced(self, difference: Tensor) -> Tensor:
        """A scalar for the `(B, C, h, w)` of a layer."""
        squares = difference.square()
        return squares.mean() if self.reduction == "mean" else squares.sum() / len(squares)


def _coloured(pictures: Tensor) -> Tensor:
    """Gray pictures as RGB: `(B, 3, H, W)`."""
    return pictures.expand(-1, 3, -1, -1)
