"""The course of a search as a figure.

Colours are told apart by the colour-blind too (Okabe and Ito).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.figure_files import FAINT, INK, SOFT, blank_figure, check_ending, save_figure
from unblemish.architecture_search.found import fusion_alphas
from unblemish.studies.records import standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Sequence[tuple[int, dict[str, float]]]
"""Steps, rising, each with the fusion alphas by "CELL.COLUMN", both from 1."""

_CELLS = ("#0072b2", "#d55e00", "#009e73", "#b0568f", "#c48a00", "#56b4e9", "#1f2933")
_DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (5, 1.4, 1.2, 1.4)))

_NAMES = 25
"""Columns whose names fit beside each other in full size."""


def draw_alphas(history: History, path: Path) -> None:
    """Draws the fusion alphas over the steps of a search, one colour a cell, dashed by column.

    Args:
        history: See `read_history`.
        path: Ends in one of `ENDINGS`; its folder is made where it is missing, an existing file is replaced.

    Raises:
        SearchError: The ending is another one, or there is nothing to draw.
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    check_ending(path)
    if not history or not history[-1][1]:
        raise SearchError(f"{path}: there are no alphas to draw yet; let the search do more steps first")
    figure = blank_figure(9, 5.2)
    axes = figure.add_axes((0.085, 0.11, 0.83, 0.79))
    names = list(history[-1][1])
    for name in names:
        points = [(step, alphas[name]) for step, alphas in history if name in alphas]
        axes.plot(*zip(*points, strict=True), **_line(name), marker="o" if len(points) == 1 else None)
    every = [alpha for _, alphas in history for alpha in alphas.values()]
    reach = min(max(0.02, 1.12 * max(abs(alpha - 0.5) for alpha in every)), 0.53)
    axes.set_ylim(0.5 - reach, 0.5 + reach)
    axes.set_xlim(0, history[-1][0])
    axes.axhline(0.5, color=SOFT, linewidth=0.8, zorder=1)
    axes.set_title("weight of the fusion module in each column (CELL.COLUMN)", fontsize=12, color=INK, loc="left")
    axes.set_xlabel("steps", fontsize=10, color=SOFT)
    axes.set_ylabel("←  parallel        fusion  →", fontsize=10, color=SOFT)
    axes.grid(color=FAINT, linewidth=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=SOFT, length=0, pad=6)
    _draw_names(axes, history[-1][1])
    save_figure(figure, path, "fusion alphas")


def read_history(journal: Path) -> list[tuple[int, dict[str, float]]]:
    """The fusion alphas in a search's journal, as means over the steps between two of its lines.

    Raises:
        SearchError: The journal cannot be read.
    """
    try:
        entries = standing(journal, "train")
    except OSError as error:
        raise SearchError(
            f"{journal}: cannot be read ({error.strerror}); give journal.jsonl of a search's folder"
        ) from error
    found = ((entry["step"], fusion_alphas(entry)) for entry in entries)
    return [(step, {f"{cell}.{column}": alpha for (cell, column), alpha in alphas.items()}) for step, alphas in found]


def _line(name: str) -> dict[str, Any]:
    """Colour by cell, dashes by column."""
    cell, column = map(int, name.split("."))
    return {
        "color": _CELLS[(cell - 1) % len(_CELLS)],
        "linestyle": _DASHES[(column - 1) % len(_DASHES)],
        "linewidth": 1.8,
    }


def _draw_names(axes: Axes, alphas: dict[str, float]) -> None:
    """Each column's name beside the end of its line, moved apart where lines end close together."""
    names = sorted(alphas, key=lambda name: alphas[name])
    heights = _apart([alphas[name] for name in names], *axes.get_ylim())
    frame = axes.get_yaxis_transform()
    for name, height in zip(names, heights, strict=True):
        colour = _line(name)["color"]
        axes.annotate(
            name, (1, alphas[name]), (1.04, height), xycoords=frame, textcoords=frame, va="center",
            fontsize=9.5 * min(1, _NAMES / len(names)), color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.7, "relpos": (0, 0.5)},
        )  # fmt: skip


def _apart(values: Sequence[float], low: float, high: float) -> list[float]:
    """Rising values moved as little as it takes to leave room for a name between them, inside the limits."""
    room = (high - low) / max(_NAMES, len(values))

    def upwards(start: Sequence[float], floor: float) -> list[float]:
        moved: list[float] = []
        for value in start:
            moved.append(max(value, moved[-1] + room if moved else floor))
        return moved

    def downwards(start: Sequence[float], ceiling: float) -> list[float]:
        return [-value for value in upwards([-value for value in reversed(start)], -ceiling)][::-1]

    # The mean of two lists that leave room leaves room too.
    middle = [(up + down) / 2 for up, down in zip(upwards(values, low), downwards(values, high), strict=True)]
    return downwards(upwards(middle, low), high)
