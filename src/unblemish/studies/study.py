"""Study: arms of one recipe that are compared at equal budgets; a YAML file, typed like a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from unblemish.evaluation.metrics import metric_names
from unblemish.evaluation.protocol import preset_names
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.recipe_parts import Part, complaints

ArmName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""What an arm may be called: it becomes part of a folder's name."""

Seed = Annotated[int, Field(ge=0)]

SEED = "{seed}"
"""What a run's seed replaces in values."""

BUDGET = ("steps", "batch", "data.patch")
"""Keys of a recipe that say how much an arm may learn from; arms are comparable where they agree."""


class Study(Part):
    """Arms of one recipe, each trained with every seed and scored alike.

    Keys of `changes` and of arms are dotted, as on the command line: `{contrast.method: spn, steps: 2000}`. A key
    without a dot replaces a whole part. "{seed}" in a value stands for the run's seed.

    Raises:
        TrainingError: From `load`, where a key is unknown or a value not allowed; the message names the key.
    """

    purpose: str
    recipe: Path = Field(description="relative to the study's file")
    changes: dict[str, object] = Field(default={}, description="for all arms")
    seeds: tuple[Seed, ...] = Field(default=(0, 1), min_length=1)
    reference: str = Field(description="the arm that differences are taken to")
    arms: dict[ArmName, dict[str, object]] = Field(min_length=1, description="what differs from the recipe, by name")
    scored: dict[str, int] = Field(
        default={},
        description="degradations that pictures are scored with, each with the task of a network that has grown, 0 the "
        "first one and -1 the newest; the recipe's where none is given",
    )
    protocols: tuple[str, ...] = Field(default=("rgb",), min_length=1)
    metrics: tuple[str, ...] = Field(default=("psnr", "ssim"), min_length=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.reference not in self.arms:
            raise ValueError(f"reference ({self.reference}) must be one of the arms: {', '.join(self.arms)}")
        for name, keys in (("changes", self.changes), *self.arms.items()):
            if "seed" in keys:
                raise ValueError(f"{name}: seed is set for every run; list them under seeds")
        for what, names, known in (
            ("protocols", self.protocols, preset_names()),
            ("metrics", self.metrics, metric_names()),
            ("seeds", self.seeds, self.seeds),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{what}: name each once")
            if unknown := [str(name) for name in names if name not in known]:
                raise ValueError(f"{what}: {', '.join(unknown)} not known; choose from {', '.join(map(str, known))}")
        return self

    @classmethod
    def load(cls, path: Path) -> Study:
        """Reads a YAML file."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{path}: cannot read the study ({error.strerror}); check the path") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise TrainingError(f"{path}: not valid YAML ({' '.join(str(error).split())}); mend that line") from error
        try:
            study = cls.model_validate(content)
        except ValidationError as error:
            raise TrainingError(
                f"{path}: {complaints(error, 'study')}; the keys are described in docs/comparing.md"
            ) from error
        return study.model_copy(update={"recipe": path.parent / study.recipe})


@dataclass(frozen=True, slots=True)
class StudyRun:
    """One arm with one seed.

    Attributes:
        arm: Its name.
        seed: Of the training.
        recipe: What is trained, resolved.
        folder: Of the run; it may have been begun or finished before.
        tasks: Tasks of a network that has grown by the damage that they restore, see `Study.scored`.
    """

    arm: str
    seed: int
    recipe: Recipe
    folder: Path
    tasks: Mapping[str, int] = field(default_factory=dict)


def plan(study: Study, runs: Path, overrides: Sequence[str] = ()) -> list[StudyRun]:
    """Every run of a study, all arms of a seed before the next seed.

    Args:
        study: What is compared.
        runs: Folder of the runs' folders, which are called ARM_seedN.
        overrides: `key=value` for all arms, over the study's changes and under the arms' own keys.

    Raises:
        TrainingError: A recipe is not right, an override would undo what arms differ in, or the arms enlarge by
            different factors.
    """
    _refuse_undoing(study, overrides)
    planned = []
    for seed in study.seeds:
        for arm, keys in study.arms.items():
            own = {**keys, "purpose": f"{study.purpose} [{arm}, seed {seed}]", "seed": seed}
            try:
                recipe = Recipe.load(study.recipe, [*_pairs(study.changes, seed), *overrides, *_pairs(own, seed)])
            except TrainingError as error:
                raise TrainingError(f"arm {arm}: {error}") from error
            planned.append(StudyRun(arm, seed, recipe, runs / f"{arm}_seed{seed}", study.scored))
    if len({run.recipe.degradations.shrink for run in planned}) > 1:
        raise TrainingError("arms must agree in degradations.shrink to be scored on the same pictures; take it out")
    return planned


def chosen(planned: Iterable[StudyRun], arms: Sequence[str], seeds: Sequence[int]) -> list[StudyRun]:
    """The runs of the named arms and seeds; of all where none is named.

    Raises:
        TrainingError: There is no such arm or seed.
    """
    planned = list(planned)
    for what, wanted, known in (
        ("arm", arms, {run.arm: None for run in planned}),
        ("seed", seeds, {run.seed: None for run in planned}),
    ):
        if unknown := [str(word) for word in wanted if word not in known]:
            raise TrainingError(f"the study has no {what} {', '.join(unknown)}; it has {', '.join(map(str, known))}")
    return [run for run in planned if run.arm in (arms or [run.arm]) and run.seed in (seeds or [run.seed])]


def budget(recipe: Recipe) -> dict[str, Any]:
    """What a recipe says of the keys in BUDGET."""
    values = recipe.flat()
    return {key: values[key] for key in BUDGET}


def _pairs(keys: Mapping[str, object], seed: int) -> list[str]:
    """`key=value` words with the values as JSON, which is YAML too."""
    values = {key: json.dumps(value, default=str, ensure_ascii=False) for key, value in keys.items()}
    return [f"{key}={value.replace(SEED, str(seed))}" for key, value in values.items()]


def _refuse_undoing(study: Study, overrides: Sequence[str]) -> None:
    """Complains of a change for all arms to what only some are meant to have."""
    for pair in overrides:
        key = pair.partition("=")[0]
        if key in ("seed", "purpose"):
            raise TrainingError(f"'{pair}': seeds and purpose stand in the study; choose seeds with --seed")
        for arm, keys in study.arms.items():
            if undone := [own for own in keys if f"{own}.".startswith(f"{key}.") or f"{key}.".startswith(f"{own}.")]:
                raise TrainingError(f"'{pair}': arm {arm} sets {', '.join(undone)} itself; change it in the study")
