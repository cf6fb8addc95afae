"""Similarity preprocessing of GRIDS (section 5.1): which groups are worth a look, found with few trainings.

Both searches here halve an interval as if drops grew with distance. They do so only on the whole, so what comes out
is a heuristic space: a group in it may fail (the grouping search verifies each), and one outside may have passed.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, Problem, check_names

RESOLUTION = 0.1
"""Mean distances are compared in steps of this size: the paper sees ranks change places at a gap of 0.12."""


class Ranking:
    """All groups of each size, most similar first.

    Groups are sorted by mean distance over their pairs, in steps of `RESOLUTION`, then by the variance of those
    distances, as the paper describes; what is still equal, by the exact mean and then by the order of names.

    Args:
        names: The degradations to group.
        distances: `(n, n)`, symmetric log distances between them; the diagonal is not looked at.
        groups: The only groups of two or more to rank; None for every subset of the names.

    Attributes:
        names: The same.
        distances: The same, with a diagonal of 0.

    Raises:
        GroupingError: The distances do not fit the names, are not finite or not symmetric.
    """

    def __init__(
        self, names: Sequence[str], distances: NDArray[np.floating], groups: Collection[Group] | None = None
    ) -> None:
        self.names = check_names(names)
        self.distances = np.array(distances, np.float64)
        count = len(self.names)
        if self.distances.shape != (count, count):
            raise GroupingError(f"distances of shape {self.distances.shape} do not fit {count} degradations")
        np.fill_diagonal(self.distances, 0.0)
        if not np.isfinite(self.distances).all():
            raise GroupingError("a distance is missing or infinite; compute the similarity anew")
        if not np.allclose(self.distances, self.distances.T, rtol=0, atol=1e-6):
            raise GroupingError("distances are not symmetric; take the mean of both directions")
        self._only = None if groups is None else {frozenset(group) for group in groups}
        self._ranked: dict[int, tuple[Group, ...]] = {}

    def of_size(self, size: int) -> tuple[Group, ...]:
        """The groups of `size` members, most similar first (the paper's Lambda of that size)."""
        if size not in self._ranked:
            self._ranked[size] = self._rank(size)
        return self._ranked[size]

    def mean_distance(self, group: Group) -> float:
        """Mean distance over the pairs of a group of two or more."""
        rows = [self.names.index(name) for name in group]
        return float(self.distances[np.ix_(rows, rows)].sum() / (len(rows) * (len(rows) - 1)))

    def _rank(self, size: int) -> tuple[Group, ...]:
        subsets = np.array(list(combinations(range(len(self.names)), size)), np.intp)  # (groups, size)
        if size > 1:
            first, second = np.triu_indices(size, 1)
            pairs = self.distances[subsets[:, first], subsets[:, second]]  # (groups, pairs)
            means, variances = pairs.mean(1), pairs.var(1).round(9)
            # A stable sort leaves equal groups in the order of names; rounding keeps float noise out of the order.
            subsets = subsets[np.lexsort((means.round(9), variances, np.rint((means / RESOLUTION).round(6))))]
        ranked = (tuple(self.names[member] for member in subset) for subset in subsets)
        return tuple(g for g in ranked if self._only is None or size == 1 or frozenset(g) in self._only)


def largest_size(problem: Problem, ranking: Ranking) -> int:
    """The size beyond which groups are left out (L_max): the last whose most similar group passes, by halving."""
    low, high = 1, len(ranking.names)
    while low < high:
        middle = (low + high + 1) // 2
        top = ranking.of_size(middle)[:1]
        if top and problem.passes(top[0], "largest size"):
            low = middle
        else:
            high = middle - 1
    return low


def worthwhile_groups(problem: Problem, ranking: Ranking, largest: int) -> dict[int, tuple[Group, ...]]:
    """For each size up to `largest` the ranking up to its last group that passes, as found by halving.

    The sizes advance side by side, so that an oracle with several workers measures one group of each at a time.
    """
    kept = {1: ranking.of_size(1)}
    halvings = {size: _last_passing(ranking.of_size(size)) for size in range(2, largest + 1)}
    asked: dict[int, Group] = {}
    for size, halving in halvings.items():
        _advance(ranking, kept, asked, size, halving, None)
    while asked:
        problem.oracle.prepare(asked.values())
        for size, group in list(asked.items()):
            passed = problem.passes(group, f"ranking of size {size}")
            _advance(ranking, kept, asked, size, halvings[size], passed)
    return kept


def _last_passing(groups: Sequence[Group]) -> Generator[Group, bool | None, int]:
    """Yields groups to be judged; returns how many to keep."""
    low, high = 0, len(groups)
    while low < high:
        middle = (low + high) // 2
        if (yield groups[middle]):
            low = middle + 1
        else:
            high = middle
    return low


def _advance(
    ranking: Ranking,
    kept: dict[int, tuple[Group, ...]],
    asked: dict[int, Group],
    size: int,
    halving: Generator[Group, bool | None, int],
    verdict: bool | None,
) -> None:
    """Moves one size on: to its next question in `asked`, or to its result in `kept`."""
    try:
        asked[size] = halving.send(verdict)
    except StopIteration as end:
        asked.pop(size, None)
        kept[size] = ranking.of_size(size)[: end.value]
