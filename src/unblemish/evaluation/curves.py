"""Validation curves of several arms as a figure, drawn so that small differences can be seen."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from unblemish.evaluation.errors import EvaluationError
from unblemish.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Style = dict[str, Any]
"""Keywords of matplotlib's lines."""

Curve = Sequence[tuple[int, float]]
"""Steps, rising, with a gain in dB each."""

_SETTLED = 1 / 4
"""Share of its steps after which a curve decides the limits; before that they rise from far below."""

_FAR = 20
"""How many times farther from the middle than most arms one may end below before it is off the scale."""

_COLOURS = ("#2e6fb7", "#d1495b", "#3f9b56", "#e08e1b", "#8659b5", "#1d9aa1", "#b0568f", "#7d7a1c", "#5a6acf")
_DASHES = ("solid", (0, (3, 1)), (0, (1, 1)))
_INK, _SOFT, _FAINT = "#1f2933", "#6b7280", "#c5cbd3"

_CHARACTERS_AN_INCH, _WORDS = 11, 22
"""Of the legend's type; and what stands there beside an arm's name."""


def save_curves(curves: Mapping[str, Mapping[int, Curve]], reference: str, path: Path, title: str) -> None:
    """Draws gains over steps, and beside them what they differ from the reference's with the same seed, as a PNG.

    One `style` an arm; thin lines are seeds, thick ones their mean at the steps that all seeds of the arm have. Seeds
    differ more than arms do, so differences are paired. The limits leave out the first quarter of each curve, and
    arms that fail.

    Args:
        curves: By arm and seed; at least one of them has a point.
        reference: The arm that is subtracted; without another arm as long and of the same seed, there is one panel.
        path: Ends in .png; its folder is made where it is missing. An existing file is replaced.
        title: Stands above.

    Raises:
        EvaluationError: The ending is another one, or there is nothing to draw.
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    check_ending(path)
    if not any(curve for seeds in curves.values() for curve in seeds.values()):
        raise EvaluationError(f"{path}: there is no validation to draw yet; finish a training first")
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    differences = paired(curves, reference)
    width = 14 if differences else 8
    columns = max(1, round(width * _CHARACTERS_AN_INCH / (max(map(len, curves)) + _WORDS)))
    height = 5.3 + 0.25 * math.ceil(len(curves) / columns)
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13, color=_INK, x=0.01, ha="left", parse_math=False)
    panels = figure.subplots(1, 2 if differences else 1, squeeze=False)[0]
    styles = {arm: style(place) for place, arm in enumerate(curves)}
    _draw(panels[0], curves, styles, "validation gain", "dB over the damaged input")
    if differences:
        panels[1].axhline(0, linewidth=2.4, **styles[reference])
        _draw(panels[1], differences, styles, f"difference to {reference} with the same seed", "dB")
        low, high = panels[1].get_ylim()
        panels[1].set_ylim(min(low, 0), max(high, 0))
    legend = figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=columns, fontsize=10, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def check_ending(path: Path) -> None:
    """Complains of a file that would be no PNG.

    Raises:
        EvaluationError: The ending is another one.
    """
    if path.suffix.lower() != ".png":
        raise EvaluationError(f"{path}: plots are written as .png; choose this ending")


def style(place: int) -> Style:
    """Colour and dashes of the arm at a place, counted from 0: colours first, then dashes, so 27 arms differ."""
    rounds, colour = divmod(place, len(_COLOURS))
    return {"color": _COLOURS[colour], "linestyle": _DASHES[rounds % len(_DASHES)]}


def mean_curve(curves: Sequence[Curve]) -> list[tuple[int, float]]:
    """Mean gain at the steps that all curves have."""
    tables = [dict(curve) for curve in curves]
    shared = sorted(set.intersection(*(set(table) for table in tables))) if tables else []
    return [(step, fmean(table[step] for table in tables)) for step in shared]


def paired(curves: Mapping[str, Mapping[int, Curve]], reference: str) -> dict[str, dict[int, Curve]]:
    """What the other arms' curves differ from the reference's with the same seed, at the steps that both have.

    Curves that end at another step are left out: half-way through a longer schedule is no shorter training.
    """
    base = {seed: dict(curve) for seed, curve in curves.get(reference, {}).items()}
    found: dict[str, dict[int, Curve]] = {}
    for arm, seeds in curves.items():
        for seed, curve in seeds.items():
            against = base.get(seed, {})
            shared = [(step, gain - against[step]) for step, gain in curve if step in against]
            if shared and arm != reference and curve[-1][0] == max(against):
                found.setdefault(arm, {})[seed] = shared
    return found


def limits(curves: Mapping[str, Mapping[int, Curve]]) -> tuple[float, float]:
    """Lowest and highest value to show: all later ones of the arms that are not `off_scale`, with a margin.

    Raises:
        ValueError: No curve has a point.
    """
    left_out = off_scale(curves)
    shown = [curve for arm, seeds in curves.items() if arm not in left_out for curve in seeds.values() if curve]
    later = [gain for curve in shown for step, gain in curve if step >= curve[-1][0] * _SETTLED]
    margin = 0.06 * (max(later) - min(later)) or 0.01
    return min(later) - margin, max(later) + margin


def off_scale(curves: Mapping[str, Mapping[int, Curve]]) -> set[str]:
    """Arms that end so far below the middle one that nothing could be seen of the others: 20 times as far as most.

    Among fewer than four arms there is no telling; none is left out then.
    """
    ends = {arm: fmean(c[-1][1] for c in seeds.values()) for arm, seeds in curves.items() if all(seeds.values())}
    if len(ends) < 4:
        return set()
    middle = median(ends.values())
    usual = median(abs(end - middle) for end in ends.values())
    return {arm for arm, end in ends.items() if middle - end > _FAR * usual}


def _draw(
    axes: Axes, curves: Mapping[str, Mapping[int, Curve]], styles: Mapping[str, Style], title: str, unit: str
) -> None:
    low, high = limits(curves)
    for arm, seeds in curves.items():
        for curve in seeds.values() if len(seeds) > 1 else ():
            axes.plot(*_columns(curve), linewidth=0.9, alpha=0.55, **styles[arm])
        mean = mean_curve(list(seeds.values()))
        count, dot = f"{len(seeds)} seed{'s' * (len(seeds) != 1)}", "o" if len(mean) == 1 else None
        words = f"{count}, off the scale" if mean and mean[-1][1] < low else count
        axes.plot(*_columns(mean), linewidth=2.4, marker=dot, label=f"{arm} ({words})", **styles[arm])
    axes.set_ylim(low, high)
    axes.set_title(title, fontsize=12, color=_INK, loc="left", parse_math=False)
    axes.set_xlabel("steps", fontsize=10, color=_SOFT)
    axes.set_ylabel(unit, fontsize=10, color=_SOFT)
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_SOFT, length=0)


def _columns(curve: Curve) -> tuple[list[int], list[float]]:
    return [step for step, _ in curve], [gain for _, gain in curve]
