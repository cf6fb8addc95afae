"""Exact covers: ways to put together a whole set from disjoint groups. Sets are bit masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


class Covers:
    """Partitions of a set of things into groups of a pool that may shrink meanwhile.

    A table holds, for every subset, how many groups it needs at least. It starts from the size of the largest group
    and is raised where a search fails, so that no hopeless subset is searched twice. Removing groups can only raise
    the need, so the table stays true.

    Args:
        count: Number of things.
        groups: Bit masks of the groups, preferred ones first; every single thing must be among them.
    """

    def __init__(self, count: int, groups: Sequence[int]) -> None:
        self._whole = (1 << count) - 1
        self._groups = np.array(groups, np.int64)
        self._alive = np.ones(len(groups), bool)
        lowest = self._groups & -self._groups
        self._by_lowest = {1 << bit: np.flatnonzero(lowest == 1 << bit) for bit in range(count)}
        largest = max(int(group).bit_count() for group in groups)
        sizes = np.array([subset.bit_count() for subset in range(1 << count)])
        self._need = -(-sizes // largest)

    def remove(self, group: int) -> None:
        """Takes a group out of the pool; a running `find` yields no partition with it any more."""
        self._alive[self._groups == group] = False

    def find(self, parts: int) -> Iterator[tuple[int, ...]]:
        """Every partition of the whole set into at most `parts` groups, each once.

        They come in the order of a depth-first search that always tries preferred groups first.
        """
        if self._fits(self._whole, parts):
            yield from self._extend(self._whole, parts, 0)

    def _extend(self, rest: int, parts: int, start: int) -> Iterator[tuple[int, ...]]:
        """Partitions of `rest` into groups from number `start` on: an order that tells no partition twice."""
        if not rest:
            yield ()
            return
        later = self._groups[start:]
        for place in start + np.flatnonzero((later & ~rest) == 0):
            group = int(self._groups[place])
            if not self._alive[place] or not self._fits(rest ^ group, parts - 1):
                continue
            for others in self._extend(rest ^ group, parts - 1, int(place) + 1):
                yield (group, *others)
                if not self._alive[place]:
                    break

    def _fits(self, rest: int, parts: int) -> bool:
        """Whether `rest` can be put together from at most `parts` groups of the pool."""
        if not rest or self._need[rest] > parts:
            return not rest
        # Some group must hold the lowest thing, and all groups inside `rest` that do have it as their lowest.
        places = self._by_lowest[rest & -rest]
        groups = self._groups[places]
        remainders = rest ^ groups[self._alive[places] & ((groups & ~rest) == 0)]
        needs = self._need[remainders]
        for number in np.argsort(needs, kind="stable")[: np.count_nonzero(needs < parts)]:
            if self._fits(int(remainders[number]), parts - 1):
                return True
        self._need[rest] = parts + 1
        return False
