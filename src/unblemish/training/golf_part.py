"""The part of a recipe that trains the corrections of a Golf Optimizer; package `deconvolution` carries it out.

Defaults are those of Luo et al., "A Deep Optimization Approach for Image Deconvolution", Sec. 6.1.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from unblemish.training.recipe_parts import Part

GOLF = "golf"
"""The network whose corrections are trained."""


class GolfPart(Part):
    """The second stage: F is trained already and stays as it is, G learns to correct what it returns (Eq. 4)."""

    first: Path | None = Field(
        default=None, description="safetensors weights of F, as `unblemish train` writes them; None: in network.start"
    )
    iterations: int = Field(default=5, ge=1, description="N, corrections in a row that the loss is averaged over")
