"""ScoreTable: the scores of every picture, and the means and gains drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

from unblemish.evaluation.cases import CLEAN
from unblemish.evaluation.protocol import Protocol

INPUT = "input"
"""The method that stands for the damaged picture itself."""


@dataclass(frozen=True, slots=True)
class Score:
    """One method on one set under one protocol and metric; `values` by picture."""

    case_set: str
    method: str
    protocol: str
    metric: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be scored, or, under the method "input", not read or compared at all."""

    case_set: str
    method: str
    picture: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetInfo:
    """A set as `CaseSet` describes it, with the number of its pictures."""

    name: str
    title: str
    kind: str
    source: str
    damage: str
    pictures: int


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric as `Metric` describes it."""

    name: str
    title: str
    decimals: int
    higher_is_better: bool


@dataclass(frozen=True)
class ScoreTable:
    """All scores of a comparison.

    Attributes:
        protocols: With the pictures they were applied to.
        metrics: In the order of the table's cells.
        sets: In the order of the table's rows.
        methods: Precision by name, in the order of the table's columns, without "input".
        scores: One for each set, method (and "input"), protocol and metric that was computed.
        failures: What could not be scored.
        seconds: Time each method took altogether.
    """

    protocols: tuple[Protocol, ...]
    metrics: tuple[MetricInfo, ...]
    sets: tuple[SetInfo, ...]
    methods: Mapping[str, str]
    scores: tuple[Score, ...]
    failures: tuple[Failure, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    def values(self, case_set: str, method: str, protocol: str, metric: str) -> Mapping[str, float]:
        """Scores by picture; empty where there are none."""
        return self._index.get((case_set, method, protocol, metric), {})

    def mean(self, case_set: str, method: str, protocol: str, metric: str) -> float | None:
        """Mean over the pictures that were scored; None where there are none."""
        values = self.values(case_set, method, protocol, metric)
        return fmean(values.values()) if values else None

    def gain(self, case_set: str, method: str, protocol: str, metric: str) -> float | None:
        """Mean of the method's score minus the input's, over the pictures that the method restored."""
        before = self.values(case_set, INPUT, protocol, metric)
        after = self.values(case_set, method, protocol, metric)
        return fmean(value - before[picture] for picture, value in after.items()) if after else None

    def average(self, method: str, protocol: str, metric: str) -> float | None:
        """Mean over the damaged sets; None unless the method has a score on each of them."""
        return _mean_of_all([self.mean(s.name, method, protocol, metric) for s in self._damaged])

    def average_gain(self, method: str, protocol: str, metric: str) -> float | None:
        """Mean gain over the damaged sets; None unless the method has a score on each of them."""
        return _mean_of_all([self.gain(s.name, method, protocol, metric) for s in self._damaged])

    def to_dict(self) -> dict[str, Any]:
        """Everything, the means and gains included, fit for JSON."""
        content = asdict(self)
        for score, entry in zip(self.scores, content["scores"], strict=True):
            key = (score.case_set, score.method, score.protocol, score.metric)
            entry["mean"] = _rounded(self.mean(*key))
            entry["gain"] = _rounded(self.gain(*key))
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ScoreTable:
        """The table that `to_dict` gave; means and gains are computed anew."""
        scores = [{k: v for k, v in entry.items() if k not in ("mean", "gain")} for entry in content["scores"]]
        return cls(
            protocols=tuple(Protocol(**entry) for entry in content["protocols"]),
            metrics=tuple(MetricInfo(**entry) for entry in content["metrics"]),
            sets=tuple(SetInfo(**entry) for entry in content["sets"]),
            methods=content["methods"],
            scores=tuple(Score(**entry) for entry in scores),
            failures=tuple(Failure(**entry) for entry in content["failures"]),
            seconds=content["seconds"],
        )

    @property
    def _damaged(self) -> list[SetInfo]:
        return [s for s in self.sets if s.kind != CLEAN]

    @cached_property
    def _index(self) -> dict[tuple[str, str, str, str], Mapping[str, float]]:
        return {(s.case_set, s.method, s.protocol, s.metric): s.values for s in self.scores}


def _mean_of_all(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return fmean(present) if present and len(present) == len(values) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
