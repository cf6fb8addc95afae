"""The parts of a recipe that every training has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unblemish.degradations.quantisation import Rounding
from unblemish.training.schedule import Decay


class Part(BaseModel):
    """Keys that belong together; one that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def complaints(error: ValidationError, whole: str) -> str:
    """All that does not fit on one line, each after its dotted key, or after `whole` where it is about no key."""
    found = []
    for issue in error.errors():
        # A part of several kinds has its kind's name in the place, which is no key.
        keys = [str(key) for key in issue["loc"]]
        if len(keys) > 1 and keys[0] in ("contrast", "lifelong"):
            del keys[1]
        if issue["type"] == "too_short" and issue["input"]:
            continue  # none of its elements is right, which is said of each
        found.append(f"{'.'.join(keys) or whole}: {issue['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)


class NetworkPart(Part):
    """Which network of the catalogue is trained."""

    name: str = Field(description="of the catalogue")
    options: dict[str, object] = Field(default={}, description="what differs from the network's defaults")
    start: Path | None = Field(default=None, description="safetensors weights to start from")


class DataPart(Part):
    """Where clean pictures come from and how patches are cut."""

    folder: Path = Field(description="clean pictures, folders below included")
    pairs: tuple[str, str] | None = Field(
        default=None,
        description="names of two folders side by side in `folder` or below it, of damaged pictures and of their clean "
        "originals, which are then all that is used",
    )
    patch: int = Field(default=128, ge=8, description="side of the square patches, pixels")
    gray: bool = Field(default=False, description="use the luma of pictures alone, for networks of one channel")
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(1.0,), min_length=1, description="each picture is also used shrunk by these factors"
    )
    memory: float = Field(default=4.0, ge=0, description="GB of decoded pictures to keep; the rest is decoded again")
    on_device: bool = Field(default=False, description="keep all pictures on the device that trains, and cut there")


class DegradationPart(Part):
    """What damages the patches, one damage each, or undamaged with probability `clean`; then shrinking."""

    names: tuple[str, ...] = Field(
        default=(), description="of the catalogue, such as jpeg or jpeg:quality=20; none where only `shrink` is wanted"
    )
    kernels: Path | None = Field(
        default=None,
        description="file or folder of point spread functions, whose blur is one more damage besides `names`",
    )
    clean: float = Field(default=0.0, ge=0, le=1)
    shrink: int = Field(default=1, ge=1, description="bicubic factor, for networks that enlarge by it")
    rounding: Rounding = Field(default="nearest", description="how damaged pictures come to 8 bit")

    @property
    def damages(self) -> bool:
        """Whether there is anything that changes patches."""
        return bool(self.names) or self.kernels is not None or self.shrink > 1


class TaskPart(Part):
    """What one step minimises."""

    loss: Literal["l1", "mse", "charbonnier", "psnr", "golf_content"] = "l1"


class OptimiserPart(Part):
    """AdamW or SGD, linear warm-up, then a fall to `floor` times the rate."""

    kind: Literal["adamw", "sgd"] = "adamw"
    rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="of AdamW")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD")
    weight_decay: float = Field(default=0.0, ge=0)
    warmup: int = Field(default=0, ge=0, description="steps")
    decay: Decay = "cosine"
    floor: float = Field(default=0.0, ge=0, le=1)
    clip: float = Field(default=1.0, gt=0, description="largest gradient norm")

    @model_validator(mode="after")
    def _falls_to_something(self) -> OptimiserPart:
        if self.decay == "exponential" and not self.floor:
            raise ValueError("decay: exponential needs a floor above 0, such as 1.77e-6")
        return self


class ValidationPart(Part):
    """Pictures held out of training, cropped in the middle, each with every degradation once."""

    folder: Path | None = Field(default=None, description="None holds out pictures of the training folder")
    pictures: int = Field(default=16, ge=1)
    crop: int = Field(default=192, ge=16, description="side of the square, pixels")
    every: int = Field(default=1000, ge=1, description="steps")
