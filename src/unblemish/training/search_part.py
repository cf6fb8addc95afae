"""The part of a recipe that searches an architecture; package `architecture_search` carries it out.

Defaults are the published ones of CLEARER (Gou et al., NeurIPS 2020, Sec. 4.1), and of its released code where the
paper is silent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from unblemish.training.recipe_parts import Part

SUPERNET = "multiscale_supernet"
"""The network that a search trains."""


class BaselinesPart(Part):
    """What the found architecture is compared with; all are trained from scratch at the same budget."""

    random: int = Field(default=4, ge=0, description="architectures drawn from the space")
    extremes: bool = Field(default=True, description="nothing but parallel, and nothing but fusion modules")
    exhaustive: bool = Field(default=False, description="every architecture of the space, so that the regret is known")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1), min_length=1, description="of each training")


class SearchPart(Part):
    """Bilevel optimisation: weights on some pictures, the architecture on others."""

    folder: Path | None = Field(
        default=None, description="pictures the architecture is learnt on; None takes half of data.folder from it"
    )
    warmup: int = Field(default=1000, ge=0, description="steps of the weights alone")
    rate: float = Field(default=3e-4, gt=0, description="of Adam on the architecture's logits")
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = Field(default=1e-3, ge=0)
    architecture_weight: float = Field(default=0.01, ge=0, description="lambda_1 of Eq. 2, drives alphas to 0 or 1")
    complexity_weight: float = Field(default=0.0, ge=0, description="lambda_2 of Eq. 2")
    complexity: Literal["parameters", "flops", "latency"] = Field(
        default="parameters", description="what modules cost; latency is measured once, at the start"
    )
    complexity_of: Literal["kind", "column"] = Field(
        default="kind", description="one cost for each kind of module, as published, or one for each column's modules"
    )
    latency_device: Literal["cpu", "cuda", "mps"] = Field(default="cpu", description="where latency is measured")
    latency_side: int = Field(default=256, ge=16, description="side of the picture that latency is measured on, pixels")
    second_order: bool = Field(default=False, description="unroll one step of the weights (Liu et al., ICLR 2019)")
    training: dict[str, object] = Field(
        default={}, description="dotted keys of a recipe: what differs when a found architecture is trained"
    )
    baselines: BaselinesPart = BaselinesPart()


DECIDING = tuple(f"search.{key}" for key in SearchPart.model_fields if key not in ("training", "baselines"))
"""Keys that decide what a search finds."""

FOLLOWING = ("search.training", "search.baselines")
"""Keys that say what comes after it."""
