"""The part of a recipe that trains LIRA's stages after plain training; package `lifelong` carries it out.

Defaults are the published ones of LIRA (Liu et al., ECCV 2020, Sec. 4.2), and of CycleGAN (Zhu et al., ICCV 2017) for
the replay that it takes from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unblemish.training.recipe_parts import Part

NETWORKS = ("lira", "lira_compact", "lira_naf")
"""Networks that have experts and can grow."""

GENERATOR = "replay_generator"
"""The network that replays damage."""


class ExpertsPart(Part):
    """Each degradation is learnt by an expert of its own; extractor and decoder are shared (Sec. 3.1)."""

    stage: Literal["experts"]


class JoinPart(Part):
    """The base network starts from experts and learns the recipe's blends with all its parameters (Sec. 3.1)."""

    stage: Literal["join"]
    experts: Path = Field(description="safetensors weights of the stage before, or a NAFNet's for lira_naf")


class ReplayPart(Part):
    """A generator learns to damage clean pictures as the recipe's degradations do (Eq. 15 to 17)."""

    stage: Literal["replay"]
    restorer: Path = Field(description="safetensors weights of R, the trained network that restores such damage")
    adversarial: Literal["least_squares", "log"] = Field(
        default="least_squares", description="log as Eq. 15 prints it, least squares as CycleGAN's program"
    )
    cycle_weight: float = Field(default=10.0, ge=0, description="lambda_1 of Eq. 17")
    matching_weight: float = Field(
        default=0.0, ge=0, description="of differences between generated and real damage in strength; not published"
    )
    discriminator_width: int = Field(default=64, ge=1, description="channels of its first layer")
    details: bool = Field(
        default=False, description="show the discriminator details apart, so that few steps suffice; not published"
    )
    paired: bool = Field(default=False, description="show the discriminator the clean picture, too; not published")
    discriminator_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = Field(default=(0.5, 0.999), description="of the discriminator's Adam")
    pool: int = Field(default=50, ge=0, description="generated patches kept to show the discriminator again")


Strategy = Literal["lira", "setting_a", "joint", "fine_tuning", "ewc", "lwf", "progressive"]
"""How old knowledge is treated while a network grows, see `lifelong.strategies`."""


WITH_OLD_PICTURES = ("joint", "ewc")
"""Strategies that look at pictures of the old tasks again: for measuring, not for growing."""


class GrowPart(Part):
    """The network learns one more task, of the recipe's degradations (Sec. 3.2, 3.3)."""

    stage: Literal["grow"]
    strategy: Strategy = "lira"
    old: Path = Field(description="safetensors weights of the network before it grows")
    ratio: float = Field(default=1e-3, ge=0, le=1, description="rho: rate of old weights over that of new ones")
    old_weight: float = Field(default=0.2, ge=0, description="lambda_2 of Eq. 18")
    replay: tuple[Path, ...] = Field(default=(), description="generators' weights, one for each old task; for lira")
    old_folder: Path | None = Field(
        default=None,
        description="clean pictures of the old tasks, for joint and ewc; None takes data.folder, unless that has pairs",
    )
    watch: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="damage of the old tasks, one each, put on validation pictures to follow forgetting"
    )
    importance_weight: float = Field(default=0.1, ge=0, description="lambda of EWC, for importance of mean 1")
    importance_patches: int = Field(default=256, ge=1, description="that EWC measures the old weights' importance on")

    @property
    def wants_old_folder(self) -> bool:
        """Whether it looks at old pictures without saying where they are."""
        return self.strategy in WITH_OLD_PICTURES and self.old_folder is None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        remembers = self.strategy in WITH_OLD_PICTURES
        if bool(self.replay) != (self.strategy == "lira"):
            raise ValueError("lifelong.replay goes with strategy: lira, which needs it, and with no other")
        if self.old_folder and not remembers:
            raise ValueError(f"lifelong.old_folder goes with strategy: {' and '.join(WITH_OLD_PICTURES)} alone")
        if remembers and not self.watch:
            raise ValueError(f"strategy: {self.strategy} also needs lifelong.watch, the damage of each old task")
        return self


LifelongPart = Annotated[ExpertsPart | JoinPart | ReplayPart | GrowPart, Field(discriminator="stage")]
"""The part of each stage."""

STAGES = ("experts", "join", "replay", "grow")
"""All that `stage` may be."""
