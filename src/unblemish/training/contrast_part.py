"""The part of a recipe that switches on a contrastive loss; package `contrast` carries it out.

Defaults are the published ones: SPN of "Learning from History" (Sec. 3, Tables 7 to 9), CR of AECR-Net (Wu et al.,
CVPR 2021), CCR of C2PNet (Zheng et al., CVPR 2023), PCL of Wu, Jiang and Liu (TNNLS 2023).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unblemish.training.embedding_part import EmbeddingPart
from unblemish.training.recipe_parts import Part


class SpnPart(EmbeddingPart):
    """Self-prior guided negative loss: away from what earlier states of the network restore."""

    method: Literal["spn"]
    weight: float = Field(default=1e-4, ge=0, description="lambda of Eq. 6")
    negatives: Literal["history", "random", "pretrained"] = Field(
        default="history", description="averages of the network's history, or one frozen network"
    )
    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(100, 500, 1000, 2000), min_length=1, description="one negative for each: steps between its updates"
    )
    decay: float = Field(default=0.1, ge=0, lt=1, description="weight of the old negative in an update (Eq. 3)")
    initial: float = Field(
        default=0.1, ge=0, le=1, description="share of random weights in the negatives at the start; 0 is a copy"
    )
    pretrained: Path | None = Field(default=None, description="safetensors weights of the pretrained negative")
    adaptive: float | None = Field(
        default=None,
        gt=0,
        description="refresh one negative, in turn, when the restoration's deviation exceeds this (0.022); "
        "`steps` then only says how many there are",
    )
    negatives_dtype: Literal["float32", "bfloat16"] = Field(default="float32", description="of the negatives' weights")

    @model_validator(mode="after")
    def _negatives_are_given(self) -> Self:
        if (self.negatives == "pretrained") != (self.pretrained is not None):
            raise ValueError("negatives: pretrained needs pretrained: FILE, and the other kinds take none")
        if self.adaptive is not None and self.negatives != "history":
            raise ValueError("adaptive refreshes negatives of the history; frozen ones stay as they are")
        idle = ("decay",) if self.adaptive is not None else ("steps", "decay", "initial")
        if self.adaptive is not None or self.negatives != "history":
            for name in idle:
                if getattr(self, name) != SpnPart.model_fields[name].get_default():
                    kind = f"negatives: {self.negatives}" if self.adaptive is None else "adaptive"
                    raise ValueError(f"{name} has no effect with {kind}; take it out")
        return self


class CrPart(EmbeddingPart):
    """Contrastive regularisation: near the clean picture, away from the damaged one."""

    method: Literal["cr"]
    weight: float = Field(default=0.1, ge=0)


class GivenNegative(Part):
    """A restorer whose results serve as negatives."""

    weights: Path = Field(description="safetensors weights, as `unblemish train` writes them")
    psnr: float = Field(description="its own validation score, dB; harder than the network until that is reached")


class CcrPart(EmbeddingPart):
    """Curricular contrastive regularisation: as CR, and away from what other restorers make of the picture."""

    method: Literal["ccr"]
    weight: float = Field(default=0.2, ge=0)
    negatives: tuple[GivenNegative, ...] = Field(min_length=1)


class PclPart(EmbeddingPart):
    """Practical contrastive learning: near sharpened clean pictures, away from slightly blurred ones."""

    method: Literal["pcl"]
    weight: float = Field(default=0.02, ge=0, description="lambda; 5 in the released script, for values 0 to 255")
    positives: int = Field(default=4, ge=0, description="sharpened clean pictures besides the clean one")
    negatives: int = Field(default=3, ge=0, description="blurred clean pictures besides the enlarged damaged one")


METHODS = ("spn", "cr", "ccr", "pcl")
"""What `method` may be."""

ContrastPart = Annotated[SpnPart | CrPart | CcrPart | PclPart, Field(discriminator="method")]
