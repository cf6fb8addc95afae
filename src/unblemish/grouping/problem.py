"""The grouping problem of GRIDS (Eq. 2 to 5): as few groups as possible, none of which loses too much.

One network is trained for each group. What a group loses is its largest drop (Eq. 4): over its members, PSNR of the
member's own single-task network minus PSNR of the group's network, in dB.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from unblemish.grouping.errors import GroupingError

Group = tuple[str, ...]
"""Degradations that share a network, in the order of the problem's names."""

Partition = tuple[Group, ...]
"""Groups in which every degradation occurs exactly once (Eq. 2)."""

MOST = 16
"""Largest number of degradations: every subset of them is ranked."""


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
        GroupingError: There are none or too many, or one occurs twice.
    """
    if not 1 <= len(names) <= MOST:
        raise GroupingError(f"{len(names)} degradations cannot be grouped; name 1 to {MOST}")
    if len(set(names)) < len(names):
        raise GroupingError(f"{', '.join(names)}: a degradation is named twice; name each once")
    return tuple(names)


def canonical(members: Iterable[str], names: Sequence[str]) -> Group:
    """The members in the order of `names`.

    Raises:
        GroupingError: A member is not among the names.
    """
    wanted = set(members)
    if unknown := sorted(wanted - set(names)):
        raise GroupingError(f"{', '.join(unknown)}: not among the degradations to group ({', '.join(names)})")
    return tuple(name for name in names if name in wanted)


class Oracle(ABC):
    """Knows, or finds out by training, what degradations lose in a shared network.

    Subclasses say how in `_measure`, which is asked once a group; groups of one lose nothing by definition and are
    never asked for.

    Args:
        names: The degradations to group.

    Attributes:
        names: The same.
        workers: Groups that can be measured in about the time of one.
    """

    workers: int = 1

    def __init__(self, names: Sequence[str]) -> None:
        self.names = check_names(names)
        self._known: dict[Group, dict[str, float]] = {}

    def drops(self, group: Group) -> dict[str, float]:
        """Drop of each member in dB; negative where sharing helps."""
        if len(group) == 1:
            return {group[0]: 0.0}
        self.prepare([group])
        return self._known[group]

    def drop(self, group: Group) -> float:
        """Largest drop of the group in dB (Eq. 4)."""
        return max(self.drops(group).values())

    def prepare(self, groups: Iterable[Group]) -> None:
        """Measures what is not yet known of several groups, together."""
        missing = [group for group in dict.fromkeys(groups) if len(group) > 1 and group not in self._known]
        if missing:
            self._known |= dict(zip(missing, self._measure(missing), strict=True))

    @property
    def measured(self) -> tuple[Group, ...]:
        """The groups of two or more that were measured, in the order in which they were asked for."""
        return tuple(self._known)

    @property
    def trainings(self) -> int:
        """Networks that all answers so far rest on: the single-task ones of all degradations and `measured`."""
        return len(self.names) + len(self._known)

    @abstractmethod
    def _measure(self, groups: Sequence[Group]) -> list[dict[str, float]]:
        """Drops in dB by member of each of these different groups of two or more."""


class TableOracle(Oracle):
    """Answers from a table; counts as if each asked-for group had been trained.

    Args:
        names: The degradations to group.
        table: Drops in dB by member, by group in any order of its members.
        unknown: Drop of every member of a group that is not in the table; None makes asking for one an error.

    Raises:
        GroupingError: The table does not fit the names; later, if an unknown group is asked for.
    """

    def __init__(
        self, names: Sequence[str], table: Mapping[Group, Mapping[str, float]], unknown: float | None = None
    ) -> None:
        super().__init__(names)
        self._table = {canonical(group, self.names): dict(drops) for group, drops in table.items()}
        self._unknown = unknown
        for group, drops in self._table.items():
            if set(drops) != set(group):
                raise GroupingError(f"group {' + '.join(group)}: its drops name other degradations; mend the table")

    def _measure(self, groups: Sequence[Group]) -> list[dict[str, float]]:
        found = []
        for group in groups:
            if group not in self._table and self._unknown is None:
                raise GroupingError(f"the table has no drops of {' + '.join(group)}; add them")
            found.append(self._table.get(group) or dict.fromkeys(group, self._unknown or 0.0))
        return found


@dataclass(frozen=True, slots=True)
class Trial:
    """The first look at a group.

    Attributes:
        stage: What the search wanted to know.
        group: The group.
        drop: Its largest drop, dB.
        passed: Whether that is within the threshold.
        trainings: Networks trained so far, single-task ones included.
    """

    stage: str
    group: Group
    drop: float
    passed: bool
    trainings: int


class Problem:
    """Which groups are allowed (the condition of Eq. 5), with a trace of every group asked about.

    Args:
        oracle: Knows the drops.
        threshold: Largest drop a member may suffer, dB (delta; 0.7 in the paper).
        on_trial: Called after each trial.

    Raises:
        GroupingError: The threshold is negative or not a number, so that not even single-task networks would do.
    """

    def __init__(self, oracle: Oracle, threshold: float, on_trial: Callable[[Trial], None] = lambda _: None) -> None:
        if not 0 <= threshold < math.inf:
            raise GroupingError(f"a threshold of {threshold} dB allows no grouping; give 0 or more")
        self.oracle = oracle
        self.threshold = threshold
        self.trace: list[Trial] = []
        self._verdicts: dict[Group, bool] = {}
        self._on_trial = on_trial

    @property
    def names(self) -> tuple[str, ...]:
        """The degradations to group."""
        return self.oracle.names

    def passes(self, group: Group, stage: str) -> bool:
        """Whether no member loses more than the threshold; a group of one always passes, unasked."""
        if len(group) == 1:
            return True
        if group not in self._verdicts:
            drop = self.oracle.drop(group)
            self._verdicts[group] = drop <= self.threshold
            self.trace.append(Trial(stage, group, drop, self._verdicts[group], self.oracle.trainings))
            self._on_trial(self.trace[-1])
        return self._verdicts[group]

    def all_pass(self, groups: Sequence[Group], stage: str) -> Group | None:
        """The first group found not to pass, or None; as many are measured together as the oracle can."""
        shared = [group for group in groups if len(group) > 1]
        for start in range(0, len(shared), self.oracle.workers):
            batch = shared[start : start + self.oracle.workers]
            self.oracle.prepare(batch)
            for group in batch:
                if not self.passes(group, stage):
                    return group
        return None
