"""Runs that an earlier result of a study tells of, so that one study may be spread over machines and years."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unblemish.studies.result import FinishedRun
from unblemish.studies.runs import differing, replaced
from unblemish.studies.scores import ScoredSet
from unblemish.studies.study import StudyRun
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe

_OWN = ("scores", "pictures", "scored_on", "seconds_a_step")
"""Keys of a run in a result that are none of its record, see `StudyResult.to_dict`."""


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """A JSON file that `unblemish compare --output` wrote.

    Attributes:
        path: Of the file.
        content: What it holds.
    """

    path: Path
    content: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> EarlierResult:
        """Reads a file.

        Raises:
            TrainingError: It cannot be read, or is no result of a study.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{path}: cannot read the earlier result ({error.strerror}); check the path") from error
        except ValueError:
            content = None
        if not (isinstance(content, dict) and {"study", "arms", "input", "provenance"} <= content.keys()):
            raise TrainingError(f"{path}: is no result of a study; give a file that compare --output wrote")
        return cls(path, content)

    def origins(self) -> list[dict[str, Any]]:
        """Provenance of the file, after those of the results it was made of itself."""
        return [*self.content.get("earlier", []), self.content["provenance"]]

    def runs(self, planned: Sequence[StudyRun], sets: Sequence[ScoredSet]) -> list[FinishedRun]:
        """The runs of a study that the file tells of; other arms and seeds, and other sets, are left out.

        Args:
            planned: Every run of the study.
            sets: What runs are scored on.

        Raises:
            TrainingError: An arm had another recipe, a run other pictures or weights, or a set other damage, pictures,
                protocols or metrics; the message says which.
        """
        by_name = {(run.arm, run.seed): run for run in planned}
        first = self.content["study"]["seeds"][0]  # recipes are told with this one
        found = []
        for arm, told in self.content["arms"].items():
            like = by_name.get((arm, first))
            if like is None:
                continue
            recipe = Recipe.parse({**told["recipe"], "seed": first}, str(self.path))
            if changed := differing(recipe, like.recipe):
                raise self._refusal(f"arm {arm} was trained with another recipe ({', '.join(changed)} differ)")
            for seed, run in told["runs"].items():
                if here := by_name.get((arm, int(seed))):
                    found.append(self._finished(here, run, sets))
        return found

    def _finished(self, run: StudyRun, told: dict[str, Any], sets: Sequence[ScoredSet]) -> FinishedRun:
        if changed := replaced(told["files"], run.recipe):
            raise self._refusal(f"{run.folder.name} was trained on other files ({', '.join(changed)} differ)")
        record = {key: value for key, value in told.items() if key not in _OWN}
        scores = {one.name: self._entry(told, one) for one in sets if one.name in told["pictures"]}
        return FinishedRun(run, record, scores)

    def _entry(self, told: dict[str, Any], pictures: ScoredSet) -> dict[str, Any]:
        """A run's scores on a set, see `scores.score_run`."""
        name = pictures.name
        scores = {key: value for key, value in told["scores"].items() if key.startswith(f"{name}/")}
        said = {what: self._said(what, name) for what in ("protocols", "damage", "failures")}
        for what, before, now in (
            ("damage", said["damage"], pictures.told_damage()),
            ("pictures or protocols", said["protocols"], pictures.told_protocols()),
            ("metrics", [*scores], pictures.keys()),
        ):
            if sorted(before) != sorted(now):
                raise self._refusal(f"{name} was scored with other {what} ({'; '.join(before)})")
        return said | {
            "network": scores,
            "input": {key: self.content["input"][key] for key in scores},
            "pictures": told["pictures"][name],
            "device": told["scored_on"][name],
        }

    def _said(self, what: str, name: str) -> list[str]:
        start = f"{name}: "
        return [line.removeprefix(start) for line in self.content[what] if line.startswith(start)]

    def _refusal(self, reason: str) -> TrainingError:
        return TrainingError(f"{self.path}: {reason}; leave it out, or change the study back")
