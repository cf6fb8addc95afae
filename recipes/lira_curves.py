"""Old and new task over the steps of growing, by strategy: Fig. 4 of LIRA."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lira_growth import TITLES, title
from lira_study import Found, origin

from unblemish.evaluation.curves import mean_curve, style
from unblemish.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = Mapping[str, Mapping[int, list[tuple[int, float]]]]
"""Steps with PSNR in dB, by arm and seed."""

ARMS = (*TITLES, "ewc", "ewc_tenfold")
"""Of all growths, so that one strategy has one colour in every picture."""

_INK, _SOFT, _FAINT = "#1f2933", "#6b7280", "#c5cbd3"


def validated(found: Found, damage: str) -> Curves:
    """Validations with a damage; step 0 is the last one of the network that an arm starts from, if that is known."""
    return {
        arm: {
            seed: [*_start(found, arm, seed, damage), *((step, value) for step, value in run["validations"][damage])]
            for seed, run in found.runs(arm).items()
            if damage in run.get("validations", {})
        }
        for arm in found.arms
    }


def save_growth(found: Found, path: Path) -> None:
    """Draws a panel for the old task and one for the new, thin lines for seeds and thick ones for means, as a PNG.

    Raises:
        SystemExit: No record holds validations.
        OSError: The file cannot be written.
    """
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    recipe = found.content["study"]["changes"]
    damages = {"old task": recipe["lifelong.watch"][0], "new task": recipe["degradations.names"][0]}
    panels = {f"{task}: {damage.replace('_', ' ')}": validated(found, damage) for task, damage in damages.items()}
    if not all(any(seeds for seeds in curves.values()) for curves in panels.values()):
        raise SystemExit(f"{found.path}: holds no validations of {', '.join(damages.values())}; gather its runs again")
    figure = Figure(figsize=(14, 5.6), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (heading, curves) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        _draw(axes, found, curves, heading)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=5, fontsize=10, frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def _start(found: Found, arm: str, seed: int, damage: str) -> list[tuple[int, float]]:
    if not (start := found.recipe(arm)["network"]["start"]):
        return []
    study, name = origin(start)
    before = Found.look(found.path.with_name(f"{study}.json"))
    if before is None or name not in before.arms:
        return []
    known = before.runs(name).get(seed, {}).get("validations", {}).get(damage)
    return [(0, known[-1][1])] if known else []


def _draw(axes: Axes, found: Found, curves: Curves, heading: str) -> None:
    for arm, seeds in curves.items():
        look = style(ARMS.index(arm))
        for curve in seeds.values() if len(seeds) > 1 else ():
            axes.plot(*_columns(curve), linewidth=0.9, alpha=0.5, **look)
        mean = mean_curve(list(seeds.values()))
        axes.plot(*_columns(mean), linewidth=2.4, label=f"{title(found, arm)} ({len(seeds)})", **look)
    axes.set_title(heading, fontsize=12, color=_INK, loc="left")
    axes.set_xlabel("steps", fontsize=10, color=_SOFT)
    axes.set_ylabel("PSNR on validation pictures, dB", fontsize=10, color=_SOFT)
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_SOFT, length=0)


def _columns(curve: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in curve], [value for _, value in curve]
