"""Network selection of TAG (Fifty et al. 2021), which GRIDS names as its model: the comparison for its search.

Affinities between pairs of degradations predict every group: a member's score in a group is the mean of the other
members' affinities towards it. Up to `budget` groups are chosen so that each degradation is in one of them at least
and the mean of the scores, each degradation served by its best group, is largest. Groups may overlap, and nothing
bounds what a member loses, which is how it differs from GRIDS.

TAG lists all choices of groups. The same optimum follows from the observation that a choice is worth as much as the
best way to divide the degradations among its groups: for every set of degradations the group that serves just these
best, then the best partition into such sets, both exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, check_names

ALONE = -1e6
"""Score of a degradation in a group of its own, as in TAG: only for what fits nowhere else."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Groups that were chosen.

    Attributes:
        groups: In the order of the first degradation they serve; they may overlap.
        serves: The group that each degradation takes its network from.
        score: Mean score over the degradations.
    """

    groups: tuple[Group, ...]
    serves: dict[str, Group]
    score: float


def trainings(count: int, groups: Sequence[Group]) -> int:
    """Networks that TAG trains in all where affinities come from trained pairs.

    These are the single-task networks and all pairs, then the chosen groups that are larger.

    Args:
        count: Number of degradations.
        groups: The chosen groups.
    """
    return count * (count + 1) // 2 + sum(len(group) > 2 for group in set(groups))


def exhaustive_trainings(count: int) -> int:
    """Networks to train where every group is tried."""
    return 2**count - 1


def select_networks(names: Sequence[str], affinities: NDArray[np.floating], budget: int) -> Selection:
    """The best choice of at most `budget` groups.

    Args:
        names: The degradations.
        affinities: `(n, n)`; row i, column j: what training with i gives j, more is better. The diagonal is not
            looked at.
        budget: Largest number of groups.

    Raises:
        GroupingError: The affinities do not fit the names, or the budget is below one.
    """
    names = check_names(names)
    count = len(names)
    affinities = np.array(affinities, np.float64)
    if affinities.shape != (count, count) or not np.isfinite(affinities).all():
        raise GroupingError(f"affinities must be {count} x {count} finite numbers; compute them anew")
    if budget < 1:
        raise GroupingError(f"a budget of {budget} groups serves nothing; give 1 or more")
    worth, server = _best_servers(_scores(affinities))
    total, parts = _best_partition(worth, min(budget, count))
    groups, serves = [], {}
    for part in parts:
        group = tuple(name for bit, name in enumerate(names) if server[part] >> bit & 1)
        groups.append(group)
        serves |= {name: group for bit, name in enumerate(names) if part >> bit & 1}
    return Selection(tuple(dict.fromkeys(groups)), {name: serves[name] for name in names}, total / count)


def _scores(affinities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score of each member in each group, `(2^n, n)`; the group is a bit mask, non-members are nonsense."""
    count = len(affinities)
    np.fill_diagonal(affinities, 0.0)
    members = np.arange(1 << count)[:, None] >> np.arange(count) & 1  # (2^n, n)
    sizes = members.sum(1, keepdims=True)  # (2^n, 1)
    return np.where(sizes > 1, members @ affinities / np.maximum(sizes - 1, 1), ALONE)


def _best_servers(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each set of degradations the largest sum of their scores in one group, and that group."""
    count = scores.shape[1]
    worth, server = np.zeros(1 << count), np.zeros(1 << count, np.int64)
    for served in range(1, 1 << count):
        bits = [bit for bit in range(count) if served >> bit & 1]
        supersets = served | _subsets((1 << count) - 1 ^ served, count)
        sums = scores[supersets][:, bits].sum(1)
        best = int(sums.argmax())
        worth[served], server[served] = sums[best], supersets[best]
    return worth, server


def _best_partition(worth: NDArray[np.float64], budget: int) -> tuple[float, list[int]]:
    """The partition of the whole set into at most `budget` parts with the largest sum of worths."""
    total = len(worth)
    count = total.bit_length() - 1
    best = np.full(total, -np.inf)
    best[0] = 0.0
    choices = []
    for _ in range(budget):
        better, chosen = best.copy(), np.zeros(total, np.int64)
        for rest in range(1, total):
            low = rest & -rest
            parts = low | _subsets(rest ^ low, count)
            sums = worth[parts] + best[rest ^ parts]
            place = int(sums.argmax())
            if sums[place] > better[rest]:
                better[rest], chosen[rest] = sums[place], parts[place]
        best = better
        choices.append(chosen)
    parts, rest = [], total - 1
    for chosen in reversed(choices):
        if chosen[rest]:
            parts.append(int(chosen[rest]))
            rest ^= int(chosen[rest])
    return float(best[-1]), parts


def _subsets(mask: int, count: int) -> NDArray[np.int64]:
    """All subsets of a bit mask, the empty one first."""
    found = np.zeros(1, np.int64)
    for bit in range(count):
        if mask >> bit & 1:
            found = np.concatenate([found, found | 1 << bit])
    return found
