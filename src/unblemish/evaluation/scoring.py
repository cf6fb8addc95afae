"""Scoring methods on sets of damaged pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unblemish.degradations.resampling import resized
from unblemish.evaluation.cases import Case, CaseSet, Unusable
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.metrics import Metric
from unblemish.evaluation.protocol import Protocol
from unblemish.evaluation.score_table import INPUT, Failure, MetricInfo, Score, ScoreTable, SetInfo

Progress = Callable[[int, int], None]
"""Told how many of how many restorations are done."""


@dataclass(frozen=True, slots=True)
class Method:
    """Something that restores pictures.

    Attributes:
        name: Key, and heading of its column.
        restore: `(1, 3, H, W)` float32 in [0, 1] to the same range and the clean picture's shape, on the CPU.
        precision: Type it computes in, as printed beside its scores.
        applies_to: Kinds of damage it is meant for; None for all.
        by_kind: In place of `restore` for these kinds of damage.
    """

    name: str
    restore: Callable[[Tensor], Tensor]
    precision: str = "float32"
    applies_to: frozenset[str] | None = None
    by_kind: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def suits(self, cases: CaseSet) -> bool:
        """Whether it is meant for that damage."""
        return self.applies_to is None or cases.kind in self.applies_to

    def restored(self, cases: CaseSet, damaged: Tensor) -> Tensor:
        """What it makes of a picture of a set; see `restore`."""
        return self.by_kind.get(cases.kind, self.restore)(damaged)


def score(
    methods: Sequence[Method],
    case_sets: Sequence[CaseSet],
    protocols: Sequence[Protocol],
    metrics: Sequence[Metric],
    on_progress: Progress | None = None,
) -> ScoreTable:
    """Restores every picture with every method that suits it, and scores the results and the damaged inputs.

    A picture that cannot be read, or that a method fails on, is listed among the failures, and the work goes
    on. A damaged picture that is smaller than its clean one is scored as its bicubic enlargement.

    Args:
        methods: What to compare; none is called "input", which stands for the damaged picture itself.
        case_sets: What to restore.
        protocols: How to compare; each is scored from the same restored picture.
        metrics: What to compute.
        on_progress: Told after each restoration.

    Returns:
        The scores of each picture, with the failures and the seconds each method took.

    Raises:
        ValueError: Two sets, methods or protocols have one name.
        EvaluationError: Nothing could be scored at all.
    """
    for what, names in (
        ("sets", [cases.name for cases in case_sets]),
        ("methods", [INPUT, *(method.name for method in methods)]),
        ("protocols", [protocol.name for protocol in protocols]),
    ):
        if len(set(names)) < len(names):
            raise ValueError(f"two {what} have one name: {', '.join(names)}")
    bench = _Bench(protocols, metrics)
    total = sum(len(cases) * sum(method.suits(cases) for method in methods) for cases in case_sets)
    done = 0
    for cases in case_sets:
        suited = [method for method in methods if method.suits(cases)]
        for case in cases:
            if isinstance(case, Unusable):
                bench.fail(cases, INPUT, case.name, case.reason)
            elif bench.measure_input(cases, case):
                for method in suited:
                    bench.measure(cases, method, case)
            done += len(suited)
            if on_progress is not None:
                on_progress(done, total)
    if not bench.values:
        reason = bench.failures[0].reason if bench.failures else "the sets are empty"
        raise EvaluationError(f"nothing could be scored; the first reason: {reason}")
    return ScoreTable(
        protocols=applied(protocols, case_sets),
        metrics=tuple(MetricInfo(m.name, m.title, m.decimals, m.higher_is_better) for m in metrics),
        sets=tuple(SetInfo(c.name, c.title, c.kind, c.source, c.damage, len(c)) for c in case_sets),
        methods={method.name: method.precision for method in methods},
        scores=tuple(Score(*key, values) for key, values in bench.values.items()),
        failures=tuple(bench.failures),
        seconds={name: round(seconds, 3) for name, seconds in bench.seconds.items()},
    )


def applied(protocols: Sequence[Protocol], case_sets: Sequence[CaseSet]) -> tuple[Protocol, ...]:
    """Protocols that tell which pictures they are applied to, and how many."""
    sources = sorted({f"{cases.source} ({len(cases)})" for cases in case_sets})
    return tuple(protocol.on(", ".join(sources)) for protocol in protocols)


def why_unscorable(cases: CaseSet, protocols: Sequence[Protocol], metrics: Sequence[Metric]) -> str | None:
    """What is wrong with the first picture of a set of which none can be scored; None where one can."""
    bench = _Bench(protocols, metrics)
    for case in cases:
        if isinstance(case, Unusable):
            bench.fail(cases, INPUT, case.name, case.reason)
        elif bench.measure_input(cases, case):
            return None
    return bench.failures[0].reason if bench.failures else "it is empty"


class _Bench:
    """Gathers scores, failures and times while the pictures pass."""

    def __init__(self, protocols: Sequence[Protocol], metrics: Sequence[Metric]) -> None:
        self._protocols, self._metrics = protocols, metrics
        self.values: dict[tuple[str, str, str, str], dict[str, float]] = {}
        self.failures: list[Failure] = []
        self.seconds: dict[str, float] = {}

    def fail(self, cases: CaseSet, method: str, picture: str, reason: str) -> None:
        self.failures.append(Failure(cases.name, method, picture, reason))

    def measure_input(self, cases: CaseSet, case: Case) -> bool:
        """Scores the damaged picture; whether that was possible."""
        try:
            for protocol in self._protocols:
                protocol.check(case.clean)
                protocol.check(case.damaged)
            self._record(cases, INPUT, case, of_full_size(case))
        except EvaluationError as error:
            self.fail(cases, INPUT, case.name, str(error))
            return False
        return True

    def measure(self, cases: CaseSet, method: Method, case: Case) -> None:
        """Restores and scores; whatever a foreign method raises must not cost the hours before it."""
        try:
            start = time.perf_counter()
            with torch.inference_mode():
                restored = method.restored(cases, case.damaged.clone())
            taken = time.perf_counter() - start
            _check(restored, case)
        except Exception as error:
            self.fail(cases, method.name, case.name, f"{type(error).__name__}: {error}")
            return
        self.seconds[method.name] = self.seconds.get(method.name, 0.0) + taken
        self._record(cases, method.name, case, restored)

    def _record(self, cases: CaseSet, method: str, case: Case, picture: Tensor) -> None:
        found: dict[tuple[str, str, str, str], float] = {}
        for protocol in self._protocols:
            x, y = protocol.prepare(picture), protocol.prepare(case.clean)
            for metric in self._metrics:
                if not (metric.rgb_only and protocol.channels != "rgb"):
                    key = (cases.name, method, protocol.name, metric.name)
                    found[key] = round(float(metric.compute(x, y, protocol)), 6)
        for key, value in found.items():
            self.values.setdefault(key, {})[case.name] = value


def of_full_size(case: Case) -> Tensor:
    """The damaged picture `(1, 3, H, W)`, bicubically enlarged where it is smaller than the clean one."""
    if case.damaged.shape == case.clean.shape:
        return case.damaged
    return resized(case.damaged, *case.clean.shape[-2:]).clamp(0.0, 1.0)


def _check(restored: Tensor, case: Case) -> None:
    if restored.shape != case.clean.shape:
        raise ValueError(f"returned the shape {tuple(restored.shape)} instead of {tuple(case.clean.shape)}")
    if not bool(torch.isfinite(restored).all()):
        raise ValueError("returned values that are not finite")
