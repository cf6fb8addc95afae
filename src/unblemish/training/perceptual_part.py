"""The part of a recipe that adds a perceptual loss; package `deconvolution` carries it out.

Defaults are those of the Golf Optimizer (Sec. 5.2 and 6.1), but for the reduction: see `PerceptualPart.reduction`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unblemish.training.embedding_part import EmbeddingPart


class PerceptualPart(EmbeddingPart):
    """Squared distance of the restored picture's features to the clean one's, besides the task's loss."""

    weight: float = Field(default=5e-6, ge=0, description="lambda; the published one goes with task.loss=golf_content")
    reduction: Literal["sum", "mean"] = Field(
        default="sum",
        description="over a picture's feature map: mean is what the paper prints, sum what fits its lambda and numbers",
    )
