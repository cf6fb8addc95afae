"""Knowledge: what an examiner knows besides its descriptor; a part of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, JsonValue, ValidationError, model_validator
from torch import Tensor

from unblemish.examination.classifier import Classifier
from unblemish.examination.errors import ExaminationError
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.examination.specimens import CLEAN


class Settings(BaseModel):
    """The part of the knowledge that is not tensors.

    Attributes:
        kinds: `CLEAN`, then the degradations that were shown, in the order of the classifier's outputs.
        groups: Degradations by group; kinds that are in none stand for damage that is unknown.
        sure: Probability of a group from which on its network is trusted with a picture.
        margin: Half width of the interval of predicted gains by kind, decibels.
        coverage: Share of calibration pictures whose gain lay within that interval.
        scores: How the examiner did on the pictures that each member had not seen.
        everywhere: Groups whose damage is never in a part of a picture, and the probability that each needs. Single
            patches tell it badly from dark or pale things, and whole pictures from dark or pale scenes.
        rest: Each kind of these groups, and the one that is left of it where the scene itself is dark or pale.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[str, ...] = Field(min_length=2)
    groups: dict[str, tuple[str, ...]] = Field(min_length=1)
    sure: float = Field(gt=0, lt=1)
    margin: dict[str, FiniteFloat]
    coverage: float = Field(ge=0, le=1)
    scores: dict[str, float] = {}
    everywhere: dict[str, Annotated[float, Field(gt=0, lt=1)]] = {}
    rest: dict[str, str] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        members = [name for names in self.groups.values() for name in names]
        twice = len({*members}) < len(members) or len({*self.kinds}) < len(self.kinds)
        if self.kinds[0] != CLEAN or twice or not {*members} <= {*self.kinds[1:]}:
            raise ValueError(f"kinds must start with '{CLEAN}' and hold each group's degradations, each in one group")
        if not all(self.groups.values()) or {CLEAN, "unknown"} & {*self.groups}:
            raise ValueError("groups need degradations, and names that are no verdicts")
        if not {*self.everywhere} <= {*self.groups}:
            raise ValueError("damage is everywhere that is of no group")
        scenes = {kind for group in self.everywhere for kind in self.groups[group]}
        if {*self.rest} != scenes or not {*self.rest.values()} <= {*self.kinds} - scenes:
            raise ValueError("damage that is everywhere has to leave something, which is not everywhere")
        return self

    def group_of(self, kind: str) -> str | None:
        """The group that treats a kind; None for clean and unknown ones."""
        return next((group for group, names in self.groups.items() if kind in names), None)

    def place_of(self, kind: str) -> int:
        """Where `sums` counts a kind."""
        groups = list(self.groups)
        return 0 if kind == CLEAN else groups.index(group) + 1 if (group := self.group_of(kind)) else len(groups) + 1

    def sums(self, probabilities: Tensor) -> Tensor:
        """Probabilities of kinds `(..., C)` to those of clean, each group, unknown: `(..., groups + 2)`."""
        out = probabilities.new_zeros(*probabilities.shape[:-1], len(self.groups) + 2)
        return out.index_add_(-1, torch.tensor([self.place_of(kind) for kind in self.kinds]), probabilities)

    def of_parts(self, probabilities: Tensor) -> Tensor:
        """Probabilities of kinds in parts of pictures `(..., C)`: what is everywhere counts as what is left of it."""
        places = [self.kinds.index(self.rest.get(kind, kind)) for kind in self.kinds]
        return torch.zeros_like(probabilities).index_add_(-1, torch.tensor(places), probabilities)

    def of_pictures(self, probabilities: Tensor) -> Tensor:
        """Probabilities of kinds in whole pictures `(..., C)`: as in parts where nothing is surely everywhere."""
        sums = self.sums(probabilities)
        sure = torch.zeros_like(sums[..., :1], dtype=torch.bool)
        for group, needed in self.everywhere.items():
            place = list(self.groups).index(group) + 1
            sure |= sums[..., place : place + 1] >= needed
        return torch.where(sure, probabilities, self.of_parts(probabilities))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything an examination is concluded from.

    Attributes:
        settings: Names and thresholds.
        picture: Tells a picture's kind from `statistics.picture_vector`.
        region: Tells a patch's kind from `statistics.local_vectors`.
        gain: Tells the gain of treatment from `statistics.picture_vector`; decibels.
        signatures: Generalised Gaussian of each kind.
    """

    settings: Settings
    picture: Classifier
    region: Classifier
    gain: Classifier
    signatures: dict[str, GeneralisedGaussian]

    def tensors(self) -> dict[str, Tensor]:
        """For safetensors."""
        pairs = [[self.signatures[kind].alpha, self.signatures[kind].sigma] for kind in self.settings.kinds]
        parts = {"picture": self.picture, "region": self.region, "gain": self.gain}
        stacked = {key: value for name, part in parts.items() for key, value in part.tensors(name).items()}
        return {**stacked, "signatures": torch.tensor(pairs)}

    @classmethod
    def from_parts(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, JsonValue]) -> Knowledge:
        """What `tensors` and `settings` gave.

        Raises:
            ExaminationError: They do not make knowledge.
        """
        try:
            known = Settings.model_validate(settings)
            pairs = tensors["signatures"].double().tolist()
            signatures = {
                kind: GeneralisedGaussian(alpha, sigma) for kind, (alpha, sigma) in zip(known.kinds, pairs, strict=True)
            }
            picture, region, gain = (Classifier.from_tensors(tensors, name) for name in ("picture", "region", "gain"))
            for part, outputs in ((picture, len(known.kinds)), (region, len(known.kinds)), (gain, 1)):
                part.require_outputs(outputs)
            members = {name for names in known.groups.values() for name in names}
            if not members <= {*known.margin} <= {*known.kinds}:
                raise ValueError("margins do not fit the kinds")
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise ExaminationError(f"the examiner's knowledge is damaged ({error}); fetch the bundle again") from error
        return cls(known, picture, region, gain, signatures)
