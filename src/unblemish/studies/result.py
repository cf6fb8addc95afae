"""What a study found: the finished runs, their scores by arm, and the differences to the reference paired by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from unblemish.studies.runs import finished
from unblemish.studies.scores import ScoredSet, known_scores
from unblemish.studies.study import Study, StudyRun, budget
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of several seeds.

    Attributes:
        mean: Over the seeds.
        spread: Sample standard deviation; None for one seed.
        each: By seed.
    """

    mean: float
    spread: float | None
    each: dict[int, float]

    @classmethod
    def of(cls, each: Mapping[int, float]) -> Summary | None:
        """None where there is no number."""
        if not each:
            return None
        return cls(fmean(each.values()), stdev(each.values()) if len(each) > 1 else None, dict(each))


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run.

    Attributes:
        run: Which one.
        record: How it was trained, see `runs.finished`.
        scores: Entries of `scores.score_run` by the set's name; sets that it was not scored on are missing.
    """

    run: StudyRun
    record: dict[str, Any]
    scores: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class StudyResult:
    """The finished runs of a study.

    Attributes:
        study: What was asked.
        planned: Every run of it.
        sets: What runs are scored on.
        runs: Those that are finished.
    """

    study: Study
    planned: tuple[StudyRun, ...]
    sets: tuple[ScoredSet, ...]
    runs: tuple[FinishedRun, ...]

    @classmethod
    def gather(
        cls,
        study: Study,
        planned: Sequence[StudyRun],
        sets: Sequence[ScoredSet],
        earlier: Sequence[FinishedRun] = (),
    ) -> StudyResult:
        """Reads what finished runs left in their folders, whichever process trained and scored them.

        Args:
            study: What was asked.
            planned: Every run of it.
            sets: What runs are scored on.
            earlier: Runs that count if their folders hold none that is finished, see `earlier.EarlierResult`.

        Raises:
            TrainingError: A folder holds another training, or a file in it is damaged; or runs were not scored on the
                same pictures.
        """
        others = {one.run.folder: one for one in reversed(earlier)}
        found = []
        for run in planned:
            if record := finished(run):
                entries = {one.name: known_scores(run, one) for one in sets}
                found.append(FinishedRun(run, record, {name: entry for name, entry in entries.items() if entry}))
            elif other := others.get(run.folder):
                found.append(other)
        _check_inputs(found)
        return cls(study, tuple(planned), tuple(sets), tuple(found))

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms with a finished run, in the study's order."""
        return tuple(arm for arm in self.study.arms if self.of(arm))

    def of(self, arm: str) -> list[FinishedRun]:
        """An arm's finished runs."""
        return [one for one in self.runs if one.run.arm == arm]

    def recipe(self, arm: str) -> Recipe:
        """An arm's recipe with its first seed."""
        return next(run.recipe for run in self.planned if run.arm == arm)

    def equal_budget(self, arm: str) -> bool:
        """Whether an arm may learn from as much as the reference: steps, batch and patch are the same."""
        return budget(self.recipe(arm)) == budget(self.recipe(self.study.reference))

    def keys(self) -> list[str]:
        """What was scored, see `ScoredSet.key`."""
        return list(
            dict.fromkeys(key for one in self.runs for entry in one.scores.values() for key in entry["network"])
        )

    def scores(self, arm: str, key: str) -> Summary | None:
        """An arm's score over its seeds; None where it has none."""
        return Summary.of(self._each(arm, key))

    def differences(self, arm: str, key: str) -> Summary | None:
        """Scores minus the reference's with the same seed; None where no seed has both."""
        reference = self._each(self.study.reference, key)
        return Summary.of(
            {seed: value - reference[seed] for seed, value in self._each(arm, key).items() if seed in reference}
        )

    def input_scores(self) -> dict[str, float]:
        """Scores of the damaged pictures themselves; of their bicubic enlargement where they are smaller."""
        return {
            key: value for one in self.runs for entry in one.scores.values() for key, value in entry["input"].items()
        }

    def seconds(self, arm: str) -> Summary | None:
        """Seconds that an arm's runs trained, validations and saving included."""
        return Summary.of({one.run.seed: one.record["seconds"] for one in self.of(arm)})

    def curves(self) -> dict[str, dict[int, list[tuple[int, float]]]]:
        """Validation gain in dB by arm and seed, as pairs with the step."""
        return {
            arm: {one.run.seed: [(step, gain) for step, gain in one.record["curve"]] for one in self.of(arm)}
            for arm in self.arms
        }

    def missing(self) -> list[str]:
        """Folders' names of runs that are not finished."""
        done = {one.run.folder for one in self.runs}
        return [run.folder.name for run in self.planned if run.folder not in done]

    def unscored(self) -> list[str]:
        """Finished runs that lack the scores of a set, with the set's name."""
        return [
            f"{one.run.folder.name} on {s.name}" for one in self.runs for s in self.sets if s.name not in one.scores
        ]

    def features(self) -> list[str]:
        """Whose features contrastive losses compared by, with the runs of each: "vgg16: spn_seed0, spn_seed1"."""
        found: dict[str, list[str]] = {}
        for one in self.runs:
            if contrast := one.record["facts"].get("contrast"):
                found.setdefault(contrast["embedding"]["network"], []).append(one.run.folder.name)
        return [f"{network}: {', '.join(names)}" for network, names in found.items()]

    def notes(self, what: str) -> list[str]:
        """All different lines of "protocols", "damage" or "failures", each after its set's name."""
        entries = [(name, entry) for one in self.runs for name, entry in one.scores.items()]
        return list(dict.fromkeys(f"{name}: {line}" for name, entry in entries for line in entry[what]))

    def to_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {
            "study": self.study.model_dump(mode="json"),
            "input": self.input_scores(),
            "order": list(self.arms),
            "arms": {arm: self._arm(arm) for arm in self.arms},
            "missing": self.missing(),
            "not_scored": self.unscored(),
            **{what: self.notes(what) for what in ("protocols", "damage", "failures")},
        }

    def _each(self, arm: str, key: str) -> dict[int, float]:
        name = key.partition("/")[0]
        found = {one.run.seed: one.scores.get(name, {}).get("network", {}).get(key) for one in self.of(arm)}
        return {seed: value for seed, value in found.items() if value is not None}

    def _arm(self, arm: str) -> dict[str, Any]:
        recipe = self.recipe(arm)
        return {
            "recipe": {key: value for key, value in recipe.model_dump(mode="json").items() if key != "seed"},
            "budget": budget(recipe),
            "equal_budget": self.equal_budget(arm),
            "seconds": _plain(self.seconds(arm)),
            "runs": {str(one.run.seed): _run(one) for one in self.of(arm)},
            "scores": {key: _plain(self.scores(arm, key)) for key in self.keys()},
            "differences": {key: _plain(self.differences(arm, key)) for key in self.keys()},
        }


def _check_inputs(runs: Sequence[FinishedRun]) -> None:
    """Complains of runs whose damaged pictures were not the same."""
    known: dict[str, tuple[float, str]] = {}
    for one in runs:
        for entry in one.scores.values():
            for key, value in entry["input"].items():
                score, first = known.setdefault(key, (value, one.run.folder.name))
                if score != value:
                    raise TrainingError(
                        f"{first} and {one.run.folder.name} were scored on different pictures ({key} of the input is "
                        f"{score} and {value}); leave out the earlier result, or score on the pictures that it tells of"
                    )


def _run(one: FinishedRun) -> dict[str, Any]:
    """One run's part of the result; its recipe differs from the arm's in the seed alone."""
    record = {key: value for key, value in one.record.items() if key != "recipe"}
    record["seconds_a_step"] = round(record["seconds"] / record["steps"], 6)
    return record | {
        "scores": {key: value for entry in one.scores.values() for key, value in entry["network"].items()},
        "pictures": {name: entry["pictures"] for name, entry in one.scores.items()},
        "scored_on": {name: entry["device"] for name, entry in one.scores.items()},
    }


def _plain(summary: Summary | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    return {
        "mean": round(summary.mean, 6),
        "spread": None if summary.spread is None else round(summary.spread, 6),
        "each": {str(seed): round(value, 6) for seed, value in summary.each.items()},
    }
