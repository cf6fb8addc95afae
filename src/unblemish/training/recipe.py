"""Recipe: the typed description of a training run. The YAML file, the command line and this class are one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unblemish.training.errors import TrainingError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkPart(_Part):
    """Which network of the catalogue is trained."""

    name: str
    options: dict[str, object] = {}
    start: Path | None = Field(None, description="safetensors weights to start from")


class DataPart(_Part):
    """Where clean pictures come from and how patches are cut."""

    folder: Path
    patch: int = Field(128, ge=8, description="side of the square patches, pixels")
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (1.0,), min_length=1, description="each picture is also used shrunk by these factors"
    )
    memory: float = Field(4.0, ge=0, description="GB of decoded pictures to keep; the rest is decoded again")


class DegradationPart(_Part):
    """What damages the patches: one of `names` a patch, or undamaged with probability `clean`."""

    names: tuple[str, ...] = Field(min_length=1)
    clean: float = Field(0.0, ge=0, lt=1)


class TaskPart(_Part):
    """What one step minimises."""

    loss: Literal["l1", "charbonnier", "psnr"] = "l1"


class OptimiserPart(_Part):
    """AdamW, linear warm-up, cosine to `floor` times the rate."""

    rate: float = Field(2e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)
    warmup: int = Field(0, ge=0, description="steps")
    floor: float = Field(0.0, ge=0, le=1)
    clip: float = Field(1.0, gt=0, description="largest gradient norm")


class ValidationPart(_Part):
    """Pictures held out of training, cropped in the middle, each with every degradation once."""

    folder: Path | None = Field(None, description="None holds out pictures of the training folder")
    pictures: int = Field(16, ge=1)
    crop: int = Field(192, ge=16, description="side of the square, pixels")
    every: int = Field(1000, ge=1, description="steps")


class Recipe(_Part):
    """A training run.

    Raises:
        TrainingError: From `load`, where a key is unknown or a value is not allowed; the message names the key.
    """

    purpose: str
    network: NetworkPart
    data: DataPart
    degradations: DegradationPart
    task: TaskPart = TaskPart()
    optimiser: OptimiserPart = OptimiserPart()
    validation: ValidationPart = ValidationPart()
    steps: int = Field(ge=1)
    batch: int = Field(8, ge=1, description="patches a step on each device")
    ema: float = Field(0.999, ge=0, lt=1, description="weight of the old average in the averaged weights; 0 is none")
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    compile: bool = Field(False, description="torch.compile the task")
    save_every: int = Field(500, ge=1, description="steps between checkpoints")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _warm_up_ends_in_time(self) -> Recipe:
        if self.optimiser.warmup >= self.steps:
            raise ValueError(f"optimiser.warmup ({self.optimiser.warmup}) must be below steps ({self.steps})")
        return self

    @classmethod
    def load(cls, path: Path, overrides: list[str] | None = None) -> Recipe:
        """Reads a YAML file and applies `key=value` pairs, with dots into parts: `optimiser.rate=1e-4`."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{path}: cannot read the recipe ({error.strerror}); check the path") from error
        except yaml.YAMLError as error:
            raise TrainingError(f"{path}: not valid YAML ({' '.join(str(error).split())}); mend that line") from error
        if not isinstance(content, dict):
            raise TrainingError(f"{path}: a recipe is a list of 'key: value' lines; see recipes/ for examples")
        for pair in overrides or []:
            _override(content, pair)
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: object, name: str) -> Recipe:
        """Validates `content`; `name` is what an error calls it."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in issue['loc']) or 'recipe'}: {issue['msg']}" for issue in error.errors()
            )
            raise TrainingError(f"{name}: {problems}; the keys are described in docs/training.md") from error


def _override(content: dict[str, object], pair: str) -> None:
    key, equals, value = pair.partition("=")
    if not equals or not key:
        raise TrainingError(f"'{pair}' is not of the form key=value, such as optimiser.rate=1e-4")
    *parents, last = key.split(".")
    part = content
    for parent in parents:
        inner = part.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise TrainingError(f"'{pair}': {parent} holds a value, not a part with keys of its own")
        part = inner
    part[last] = _scalar(value)


def _scalar(text: str) -> object:
    """A YAML value; YAML 1.1 reads `1e-4` as text, which nobody means here."""
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
