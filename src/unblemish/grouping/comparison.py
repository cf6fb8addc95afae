"""Single-task, mixed and grouped networks side by side: the layout of GRIDS, Table 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Partition

AVERAGE = "average"
"""Column of the mean over all degradations."""

ROWS = (
    "single-task (upper bound)",
    "mix-training (baseline)",
    "grouped",
    "difference to upper bound",
    "difference to baseline",
)
"""Titles of the rows."""


@dataclass(frozen=True)
class Comparison:
    """PSNR in dB of three arms on the same pictures with the same damage.

    Attributes:
        partition: The groups; their order is that of the columns.
        upper: Each degradation under its single-task network.
        baseline: Each degradation under the one network that was trained on all of them.
        grouped: Each degradation under the network of its group.
        protocol: How the numbers are computed, one line.

    Raises:
        GroupingError: An arm lacks a degradation, or has one that is in no group.
    """

    partition: Partition
    upper: Mapping[str, float]
    baseline: Mapping[str, float]
    grouped: Mapping[str, float]
    protocol: str

    def __post_init__(self) -> None:
        for name, arm in (("upper", self.upper), ("baseline", self.baseline), ("grouped", self.grouped)):
            if set(arm) != set(self.names):
                raise GroupingError(f"the scores of {name} are not of the grouped degradations; score all of them")

    @property
    def names(self) -> tuple[str, ...]:
        """The degradations, group by group."""
        return tuple(name for group in self.partition for name in group)

    def rows(self) -> Iterator[tuple[str, dict[str, float], bool]]:
        """Title, values by degradation and `AVERAGE`, and whether they are differences (positive is a gain)."""
        values = (
            (self._row(self.upper), False),
            (self._row(self.baseline), False),
            (self._row(self.grouped), False),
            (self._row(self.grouped, self.upper), True),
            (self._row(self.grouped, self.baseline), True),
        )
        for title, (row, differences) in zip(ROWS, values, strict=True):
            yield title, row, differences

    def to_markdown(self) -> str:
        """The table, with the groups and the protocol below."""
        columns = [*self.names, AVERAGE]
        lines = [
            "| PSNR, dB | " + " | ".join(name.replace("_", " ") for name in columns) + " |",
            "|---|" + "---:|" * len(columns),
        ]
        for title, values, differences in self.rows():
            cells = (f"{values[name]:+.2f}" if differences else f"{values[name]:.2f}" for name in columns)
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
        groups = "; ".join(f"{number}) " + ", ".join(group) for number, group in enumerate(self.partition, 1))
        return "\n".join([*lines, "", f"Groups: {groups.replace('_', ' ')}.", "", f"{self.protocol}."]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "partition": [list(group) for group in self.partition],
            "rows": {title: values for title, values, _ in self.rows()},
            "protocol": self.protocol,
        }

    def _row(self, arm: Mapping[str, float], less: Mapping[str, float] | None = None) -> dict[str, float]:
        values = {name: arm[name] - (less[name] if less else 0.0) for name in self.names}
        return values | {AVERAGE: fmean(values.values())}
