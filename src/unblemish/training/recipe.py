"""Recipe: the typed description of a training run; YAML file, command line and this class are one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from unblemish.training.contrast_part import METHODS, ContrastPart
from unblemish.training.errors import TrainingError
from unblemish.training.golf_part import GOLF, GolfPart
from unblemish.training.lifelong_part import GENERATOR, NETWORKS, STAGES, GrowPart, LifelongPart, ReplayPart
from unblemish.training.perceptual_part import PerceptualPart
from unblemish.training.recipe_parts import (
    DataPart,
    DegradationPart,
    NetworkPart,
    OptimiserPart,
    Part,
    TaskPart,
    ValidationPart,
    complaints,
)
from unblemish.training.search_part import SUPERNET, SearchPart


class Recipe(Part):
    """A training run.

    Raises:
        TrainingError: From `load`, where a key is unknown or a value not allowed; the message names the key.
    """

    purpose: str
    network: NetworkPart
    data: DataPart
    degradations: DegradationPart = DegradationPart()
    task: TaskPart = TaskPart()
    contrast: ContrastPart | None = Field(default=None, description="a contrastive loss besides the task's")
    perceptual: PerceptualPart | None = Field(default=None, description="a loss on features besides the task's")
    golf: GolfPart | None = Field(default=None, description="train the corrections of a Golf Optimizer alone")
    search: SearchPart | None = Field(
        default=None, description="a search for an architecture instead of plain training"
    )
    lifelong: LifelongPart | None = Field(default=None, description="a stage of LIRA other than plain training")
    optimiser: OptimiserPart = OptimiserPart()
    validation: ValidationPart = ValidationPart()
    steps: int = Field(ge=1)
    batch: int = Field(default=8, ge=1, description="patches a step on each device")
    ema: float = Field(
        default=0.999, ge=0, lt=1, description="weight of the old average in the averaged weights; 0 is none"
    )
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    compile: bool = Field(default=False, description="torch.compile the network")
    save_every: int = Field(default=500, ge=1, description="steps between checkpoints")
    seed: int = Field(default=0, ge=0)

    @field_validator("contrast", mode="before")
    @classmethod
    def _names_its_method(cls, value: object) -> object:
        if value is not None and not isinstance(value, Part):
            if not isinstance(value, dict):
                raise ValueError(f"is no part with keys of its own; write contrast.method={value}")
            if value.get("method") not in METHODS:
                raise ValueError(f"method must be one of {', '.join(METHODS)}")
        return value

    @field_validator("lifelong", mode="before")
    @classmethod
    def _names_its_stage(cls, value: object) -> object:
        if value is not None and not isinstance(value, Part):
            if not isinstance(value, dict):
                raise ValueError(f"is no part with keys of its own; write lifelong.stage={value}")
            if value.get("stage") not in STAGES:
                raise ValueError(f"stage must be one of {', '.join(STAGES)}")
        return value

    @model_validator(mode="after")
    def _warm_up_ends_in_time(self) -> Recipe:
        if self.optimiser.warmup >= self.steps:
            raise ValueError(f"optimiser.warmup ({self.optimiser.warmup}) must be below steps ({self.steps})")
        return self

    @model_validator(mode="after")
    def _searches_the_supernet(self) -> Recipe:
        if self.search and self.network.name != SUPERNET:
            raise ValueError(f"a search trains network.name={SUPERNET}, not {self.network.name}")
        for key in ("contrast", "perceptual", "golf"):
            if self.search and getattr(self, key):
                raise ValueError(f"search and {key} do not go together; search first, then train what it finds")
        return self

    @model_validator(mode="after")
    def _corrects_with_golf(self) -> Recipe:
        if self.golf and self.network.name != GOLF:
            raise ValueError(f"golf trains the corrections of network.name={GOLF}, not of {self.network.name}")
        if self.golf and self.compile:
            raise ValueError("golf runs parts of the network on their own, which are not compiled; leave compile out")
        return self

    @model_validator(mode="after")
    def _learns_for_life(self) -> Recipe:
        if self.lifelong is None:
            return self
        wanted = (GENERATOR,) if isinstance(self.lifelong, ReplayPart) else NETWORKS
        if self.network.name not in wanted:
            stage, names = self.lifelong.stage, " or ".join(wanted)
            raise ValueError(f"lifelong.stage={stage} trains network.name={names}, not {self.network.name}")
        for key in ("contrast", "perceptual", "golf", "search", "compile"):
            if getattr(self, key):
                raise ValueError(f"lifelong and {key} do not go together; leave {key} out")
        if self.data.gray:
            raise ValueError("lifelong stages are for colour pictures; leave data.gray out")
        if self.data.pairs and isinstance(self.lifelong, GrowPart) and self.lifelong.wants_old_folder:
            raise ValueError(
                f"strategy: {self.lifelong.strategy} with data.pairs also needs lifelong.old_folder, clean pictures of "
                "the old tasks"
            )
        return self

    @property
    def validated(self) -> tuple[str, ...]:
        """Degradations that validation pictures get: those of older tasks that are watched, then the recipe's."""
        watched = self.lifelong.watch if isinstance(self.lifelong, GrowPart) else ()
        return (*watched, *self.degradations.names)

    @model_validator(mode="after")
    def _damages_in_one_way(self) -> Recipe:
        made = self.degradations.model_copy(update={"clean": 0.0}) != DegradationPart()
        if self.data.pairs and made:
            raise ValueError(
                "data.pairs come damaged, both pictures in one size; leave out degradations but for degradations.clean"
            )
        if not self.data.pairs and not self.degradations.damages:
            raise ValueError(
                "give degradations.names, degradations.kernels, a degradations.shrink above 1, or data.pairs"
            )
        return self

    @model_validator(mode="after")
    def _shrinks_evenly(self) -> Recipe:
        factor = self.degradations.shrink
        for key, side in (("data.patch", self.data.patch), ("validation.crop", self.validation.crop)):
            if side % factor:
                raise ValueError(f"{key} ({side}) must be a multiple of degradations.shrink ({factor})")
        return self

    def flat(self) -> dict[str, object]:
        """All values as plain data by their dotted keys, such as "optimiser.rate"."""
        values: dict[str, object] = {}
        for key, value in self.model_dump(mode="json").items():
            part = isinstance(getattr(self, key), Part)
            values |= {f"{key}.{inner}": v for inner, v in value.items()} if part else {key: value}
        return values

    @classmethod
    def load(cls, path: Path, overrides: list[str] | None = None) -> Recipe:
        """Reads a YAML file and applies `key=value` pairs, with dots into parts: `optimiser.rate=1e-4`."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{path}: cannot read the recipe ({error.strerror}); check the path") from error
        except UnicodeDecodeError as error:
            raise TrainingError(f"{path}: is no text file; give a recipe in YAML, see recipes/") from error
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
            raise TrainingError(
                f"{name}: {complaints(error, 'recipe')}; the keys are described in docs/training.md, those of contrast "
                "in docs/contrast.md"
            ) from error


def assign(content: dict[str, Any], key: str, value: object, name: str) -> None:
    """Sets a value of a recipe's plain data; a mapping sets the keys below, and leaves others there as they are.

    Args:
        content: Changed in place.
        key: With dots into parts, such as "optimiser.rate".
        value: Plain data.
        name: What an error calls it.

    Raises:
        TrainingError: The key goes into a value that has no keys.
    """
    if isinstance(value, dict):
        for inner, below in value.items():
            assign(content, f"{key}.{inner}", below, name)
    else:
        _part_of(content, key, name)[key.split(".")[-1]] = value


def _part_of(content: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    """The part that holds the last word of a dotted key; parts that are missing are made."""
    part = content
    for parent in key.split(".")[:-1]:
        inner = part.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise TrainingError(f"{name}: {parent} is a value without keys of its own; see docs/training.md")
        part = inner
    return part


def _override(content: dict[str, Any], pair: str) -> None:
    key, equals, value = pair.partition("=")
    if not equals or not all(key.split(".")):
        raise TrainingError(f"'{pair}' is not of the form key=value, such as optimiser.rate=1e-4; mend it")
    try:
        _part_of(content, key, f"'{pair}'")[key.split(".")[-1]] = _value(value)
    except yaml.YAMLError as error:
        raise TrainingError(f"'{pair}': the value is not valid YAML; write lists as [1.0,0.5]") from error


def _value(text: str) -> object:
    """A YAML value; YAML 1.1 reads `1e-4` as text, which nobody means here."""
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
