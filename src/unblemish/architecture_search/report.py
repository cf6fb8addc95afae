"""What a search is worth: its architecture beside others that were trained alike, as data; `tables` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from unblemish.architecture_search.baselines import SEARCHED, Baselines
from unblemish.architecture_search.complexity import total_cost
from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.outcome import UNITS, Outcome, size_of
from unblemish.architecture_search.ranking import (
    Agreement,
    Regret,
    agreement,
    log_likelihood,
    regret,
    seed_noise,
    trained_gains,
)
from unblemish.studies.result import StudyResult, Summary

LIKELIHOOD = "log_likelihood"
"""Way to judge an architecture by the alphas alone; the others are those of `supernet_scores.kept_scores`."""

PARAMETERS, WORK = "parameters", "multiply_adds_per_pixel"
"""Sizes that architectures are judged by, too: what a search must know better than."""

_LINES = 100
"""Points of the alphas' course that a result keeps at most."""


def search_to_dict(outcome: Outcome, record: Mapping[str, Any]) -> dict[str, Any]:
    """The search itself, fit for JSON.

    Args:
        outcome: Of the search.
        record: Of its run, see `studies.runs.finished`.

    Raises:
        SearchError: The journal cannot be read.
    """
    history = outcome.history()
    every = -(-len(history) // _LINES)
    kept = [one for number, one in enumerate(history[::-1]) if number % every == 0][::-1]  # the last one is kept
    return {
        "recipe": outcome.recipe.model_dump(mode="json"),
        "found": outcome.found.to_dict(),
        "search": {key: value for key, value in record.items() if key not in ("recipe", "files")},
        "alphas": [{"step": step, "fusion": alphas} for step, alphas in kept],
    }


@dataclass(frozen=True)
class Comparison:
    """A found architecture beside others.

    Attributes:
        outcome: Of the search.
        compared: What was trained, and what for.
        result: Of the trainings.
        supernet: Gain by architecture with the supernet's weights, see `supernet_scores.kept_scores`.
    """

    outcome: Outcome
    compared: Baselines
    result: StudyResult
    supernet: Mapping[str, Mapping[str, float]]

    @cached_property
    def gains(self) -> dict[str, Summary]:
        """Validation gain after the last step, dB, by arm."""
        return trained_gains(self.result)

    def judged(self) -> dict[str, dict[str, float]]:
        """What each way says of each arm, by way and arm; higher is better."""
        alphas, arms = self.outcome.supernet.alphas(), self.compared.arms
        found = {way: {arm: gains[one] for arm, one in arms.items()} for way, gains in self.supernet.items()}
        return found | {LIKELIHOOD: {arm: log_likelihood(alphas, one) for arm, one in arms.items()}}

    @cached_property
    def sizes(self) -> dict[str, dict[str, float]]:
        """Parameters and multiply-adds a pixel of the trained networks, by arm: what needs no search to be known."""
        found: dict[str, dict[str, float]] = {PARAMETERS: {}, WORK: {}}
        for arm in self.compared.arms:
            part = self.result.recipe(arm).network
            found[PARAMETERS][arm], found[WORK][arm] = size_of(part.name, part.options)
        return found

    def agreements(self) -> dict[str, Agreement | str]:
        """How each way, and size, orders the trained arms, or why that cannot be said."""
        return {way: self._agreement(values) for way, values in (self.judged() | self.sizes).items()}

    def regret(self) -> Regret | str:
        """What the search gave away, or why that cannot be said yet."""
        try:
            return regret(
                self._means(), self.compared.arm(SEARCHED), self.compared.drawn(), noise=seed_noise(self.gains)
            )
        except SearchError as error:
            return str(error)

    @cached_property
    def arms(self) -> dict[str, dict[str, Any]]:
        """What is known of each arm's architecture, fit for JSON: what it is, is judged and has gained.

        "cost" is that of its columns in the search; parameters and multiply-adds are those of the trained network.
        """
        judged, roles = self.judged(), self.compared.standing_for()
        found = {}
        for arm, architecture in self.compared.arms.items():
            gain = self.gains.get(arm)
            found[arm] = {
                "architecture": architecture,
                "stands_for": roles[arm],
                **{size: values[arm] for size, values in self.sizes.items()},
                "cost": total_cost(self.outcome.costs, architecture),
                "cost_unit": UNITS[self.outcome.found.complexity.kind],
                "gain": asdict(gain) if gain else None,
                **{way: values[arm] for way, values in judged.items()},
            }
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything but the search itself, fit for JSON."""
        return {
            "architectures": self.arms,
            "exhaustive": self.compared.exhaustive,
            "study": self.result.to_dict(),
            "ranking": {way: _plain(found) for way, found in self.agreements().items()},
            "regret": _plain(self.regret()),
        }

    def _agreement(self, judged: Mapping[str, float]) -> Agreement | str:
        try:
            return agreement(judged, self._means())
        except SearchError as error:
            return str(error)

    def _means(self) -> dict[str, float]:
        return {arm: summary.mean for arm, summary in self.gains.items()}


def _plain(found: Agreement | Regret | str) -> dict[str, Any]:
    """A finding, or the reason why there is none, fit for JSON."""
    return {"refused": found} if isinstance(found, str) else asdict(found)
