"""Degradation grouping search: Algorithm 1 of GRIDS.

Deviations from the printed pseudo-code, both corrections: its inner loop runs over the partial solution where it must
run over the groups of the size at hand; and it asks for exactly `mid` groups, which need not become easier as `mid`
grows, so that halving could miss the least number. Here the question is "at most `mid`", which halving answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from unblemish.grouping.covers import Covers
from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, Partition, Problem
from unblemish.grouping.ranking import Ranking, largest_size, worthwhile_groups


class GroupingSearch:
    """The search on a preprocessed space; `search` makes and runs it.

    Args:
        problem: Judges groups.
        space: Groups worth a look by size, most similar first; size 1 holds every degradation.

    Attributes:
        largest: Largest size in the space (L_max).
        kept: Number of groups of each size in the space.
        first: The partition that was found first with the least number of groups.
        trainings: Networks that finding it took, single-task ones included.
    """

    def __init__(self, problem: Problem, space: Mapping[int, tuple[Group, ...]]) -> None:
        self._problem = problem
        self.largest = max(space)
        self.kept = {size: len(groups) for size, groups in space.items()}
        self._bit = {name: 1 << number for number, name in enumerate(problem.names)}
        preferred = [group for size in sorted(space, reverse=True) for group in space[size]]
        self._masks = {self._mask(group): group for group in preferred}
        self._covers = Covers(len(problem.names), list(self._masks))
        self.first = self._fewest()
        self.trainings = problem.oracle.trainings

    def solutions(self) -> Iterator[Partition]:
        """Every partition of the space into as few groups as `first` that passes, `first` before all others.

        Each step may ask the oracle about more groups.
        """
        return self._passing(len(self.first))

    def to_dict(self) -> dict[str, Any]:
        """Result, cost and trace as plain data; every drop in dB."""
        problem, oracle = self._problem, self._problem.oracle
        return {
            "names": list(problem.names),
            "threshold": problem.threshold,
            "groups": [list(group) for group in self.first],
            "drops": [oracle.drops(group) for group in self.first],
            "largest_size": self.largest,
            "groups_worth_a_look": {str(size): count for size, count in self.kept.items()},
            "trainings": self.trainings,
            "trace": [
                {"stage": trial.stage, "group": list(trial.group), "drop": trial.drop, "passed": trial.passed,
                 "trainings": trial.trainings}
                for trial in problem.trace
            ],
        }  # fmt: skip

    def _fewest(self) -> Partition:
        """Halves the interval of possible numbers of groups (the outer loop of Algorithm 1)."""
        low, high = 1, len(self._problem.names)
        found: Partition = tuple((name,) for name in self._problem.names)
        while low < high:
            middle = (low + high) // 2
            partition = next(self._passing(middle), None)
            if partition is None:
                low = middle + 1
            else:
                found, high = partition, len(partition)
        return found

    def _passing(self, parts: int) -> Iterator[Partition]:
        """Partitions into at most `parts` groups whose every group was verified; failing groups leave the space."""
        for masks in self._covers.find(parts):
            partition = tuple(self._masks[mask] for mask in masks)
            failing = self._problem.all_pass(partition, "verification")
            if failing is None:
                yield partition
            else:
                self._covers.remove(self._mask(failing))

    def _mask(self, group: Group) -> int:
        return sum(self._bit[name] for name in group)


def search(problem: Problem, ranking: Ranking) -> GroupingSearch:
    """Preprocesses by similarity, then finds a partition into as few groups as possible.

    Raises:
        GroupingError: Oracle and ranking are of different degradations.
        UserError: The oracle cannot answer.
    """
    if problem.names != ranking.names:
        raise GroupingError("the distances are of other degradations than the drops; give both in one order")
    largest = largest_size(problem, ranking)
    if largest == len(problem.names):
        # One group is the answer: no ranking of smaller sizes, most of the trainings, could better it.
        return GroupingSearch(problem, {size: ranking.of_size(size) for size in {1, largest}})
    return GroupingSearch(problem, worthwhile_groups(problem, ranking, largest))
