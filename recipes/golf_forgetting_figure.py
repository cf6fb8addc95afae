"""The figure of `golf_forgetting.py`: the four panels of the Golf Optimizer's Fig. 5."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unblemish.evaluation.curves import mean_curve
from unblemish.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = Sequence[Mapping[str, float]]
"""Of one order and seed: "step", "sharp" and "blurry" in dB."""

_SHARP, _BLURRY = "#2e6fb7", "#d1495b"
_INK, _SOFT, _FAINT = "#1f2933", "#6b7280", "#c5cbd3"
_MARGIN = 0.08


def save_figure(curves: Mapping[str, Mapping[str, Points]], steps: int, path: Path) -> None:
    """Draws one panel an order as a PNG of about 1800 x 560 pixels; an existing file is replaced.

    Args:
        curves: By order and seed.
        steps: Of a task: where an order's next one begins.
        path: Ends in .png; its folder is made where it is missing.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(18, 5.6), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    title = "What F learns and forgets: task 1 is to leave sharp pictures alone, task 2 to sharpen blurry ones"
    figure.suptitle(title, fontsize=14, color=_INK, x=0.01, ha="left")
    left = figure.subplots(1, len(curves), sharey=True)
    ranges = {key: _range(curves, key) for key in ("sharp", "blurry")}
    right = [axes.twinx() for axes in left]
    for place, (order, seeds) in enumerate(curves.items()):
        for axes, key, colour in ((left[place], "sharp", _SHARP), (right[place], "blurry", _BLURRY)):
            _draw(axes, seeds, key, colour)
            axes.set_ylim(*ranges[key])
        right[place].axhline(0, color=_BLURRY, linewidth=0.8, linestyle=(0, (2, 2)), alpha=0.6)
        tasks = order.split(", then ")
        if len(tasks) > 1:
            left[place].axvline(steps, color=_SOFT, linewidth=1, linestyle=(0, (4, 3)))
            for number, task in enumerate(tasks):
                left[place].text(
                    (number + 0.5) * steps, 1, task, transform=left[place].get_xaxis_transform(), fontsize=10,
                    color=_SOFT, ha="center", va="top",
                )  # fmt: skip
        left[place].set_title(f"({'abcd'[place]}) {order}", fontsize=12, color=_INK, loc="left")
        left[place].set_xlabel("steps", fontsize=10, color=_SOFT)
        left[place].set_xlim(0, 2 * steps)
        right[place].tick_params(labelright=place == len(curves) - 1)
    left[0].set_ylabel("task 1: PSNR of F(sharp), dB", fontsize=11, color=_SHARP)
    right[-1].set_ylabel("task 2: PSNR of F(blurry) less that of blurry, dB", fontsize=11, color=_BLURRY)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def _range(curves: Mapping[str, Mapping[str, Points]], key: str) -> tuple[float, float]:
    values = [point[key] for seeds in curves.values() for points in seeds.values() for point in points]
    margin = _MARGIN * (max(values) - min(values)) or 1.0
    return min(values) - margin, max(values) + margin


def _draw(axes: Axes, seeds: Mapping[str, Points], key: str, colour: str) -> None:
    """Thin lines are seeds, the thick one is their mean."""
    lines = [[(int(point["step"]), point[key]) for point in points] for points in seeds.values()]
    for line in lines if len(lines) > 1 else ():
        axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.9, alpha=0.5)
    axes.plot(*zip(*mean_curve(lines), strict=True), color=colour, linewidth=2.4, marker="o", markersize=3)
    axes.grid(axis="x", color=_FAINT, linewidth=0.5, alpha=0.6)
    axes.spines[["top"]].set_visible(False)
    axes.spines[["left", "right", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_SOFT, length=0)
    axes.tick_params(axis="y", colors=colour)
