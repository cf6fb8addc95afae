"""The figure of `golf_toy.py`: priors as surfaces, their steps as arrows, and how long the steps are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from unblemish.deconvolution.two_pixels import Field, analytic_prior, blurry, discriminative_prior, square_grid
from unblemish.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {
    "softmax": "classifier: probability of blurry",
    "logit": "classifier: logit of blurry",
    "learned": "learnt gradient, blurry pictures",
    "learned_square": "learnt gradient, all pictures",
    "analytic": "exact: (u1 + u2)² / 2",
}
"""The priors that are drawn, and what stands above them."""

_COLOURS = {
    "softmax": "#d1495b",
    "logit": "#e08e1b",
    "learned": "#2e6fb7",
    "learned_square": "#1d9aa1",
    "analytic": "#3f9b56",
}
_INK, _SOFT, _FAINT = "#1f2933", "#6b7280", "#c5cbd3"
_ARROWS = 9
"""A side of the square."""

_LONGEST = 0.33
"""Of a prior's arrows, as drawn, where they are not to scale; points are 0.35 apart along the diagonal."""

_FITTING = 2.9
"""Length up to which arrows are drawn to scale: a little more than the square's diagonal, which is right."""


def save_figure(classifier: nn.Module, steps: Mapping[str, Field], surfaces: Mapping[str, Tensor], path: Path) -> None:
    """Draws a PNG of about 1900 x 1300 pixels; an existing file is replaced.

    Args:
        classifier: Whose outputs are drawn.
        steps: By name, at least those of `TITLES`: pictures `(..., 2)` to what is added to them.
        surfaces: Of the learnt priors on a `square_grid`, by name.
        path: Ends in .png; its folder is made where it is missing.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(19, 12.5), facecolor="white")
    FigureCanvasAgg(figure)
    top = figure.add_gridspec(1, len(TITLES), left=0.01, right=0.985, top=0.93, bottom=0.66, wspace=0.08)
    middle = figure.add_gridspec(1, len(TITLES), left=0.03, right=0.985, top=0.63, bottom=0.37, wspace=0.2)
    bottom = figure.add_gridspec(1, 2, left=0.05, right=0.985, top=0.29, bottom=0.06, wspace=0.14)
    title = "Two pixels: how five priors see blurry pictures (u1 + u2 < 0), and where their step leads"
    figure.suptitle(title, fontsize=16, color=_INK, x=0.01, ha="left", y=0.985)
    drawn = _heights(classifier, surfaces)
    for place, name in enumerate(TITLES):
        _draw_surface(figure.add_subplot(top[0, place], projection="3d"), name, drawn[name])
        _draw_arrows(figure.add_subplot(middle[0, place]), name, steps[name])
    _draw_slice(figure.add_subplot(bottom[0, 0]), drawn)
    _draw_lengths(figure.add_subplot(bottom[0, 1]), steps)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def _heights(classifier: nn.Module, surfaces: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each prior on the grid, `(side, side)`; the learnt ones are shifted to 0 on the line, as the exact one is."""
    side = len(next(iter(surfaces.values())))
    grid = square_grid(side)
    with torch.no_grad():
        found = {name: discriminative_prior(classifier, name)(grid.float()) for name in ("softmax", "logit")}
    for name, surface in surfaces.items():
        found[name] = surface - surface.flip(1).diagonal().mean()  # the other diagonal is the line
    return found | {"analytic": analytic_prior(grid)}


def _draw_surface(axes: Any, name: str, heights: Tensor) -> None:
    grid = square_grid(len(heights)).numpy()
    axes.plot_surface(
        grid[..., 0], grid[..., 1], heights.numpy(), cmap="viridis", linewidth=0, antialiased=True, rstride=1, cstride=1
    )
    axes.view_init(elev=24, azim=-20)
    axes.set_title(TITLES[name], fontsize=12, color=_COLOURS[name], weight="bold", pad=0)
    axes.set_xlabel("u1", fontsize=9, color=_SOFT, labelpad=-6)
    axes.set_ylabel("u2", fontsize=9, color=_SOFT, labelpad=-6)
    axes.set_xticks((-1, 0, 1))
    axes.set_yticks((-1, 0, 1))
    axes.tick_params(colors=_SOFT, labelsize=8, pad=-2)
    axes.set_box_aspect((1, 1, 0.75), zoom=1.05)


def _draw_arrows(axes: Axes, name: str, step: Field) -> None:
    """Steps of blurry pictures, to scale where they fit, else shortened to one length for the longest."""
    points = square_grid(_ARROWS).float()
    points = points[blurry(points)]  # (N, 2)
    taken = step(points).detach()
    longest = taken.norm(dim=-1).max().item()
    shown = _LONGEST / longest if longest > _FITTING else 1.0
    words = "to scale" if shown == 1 else f"shortened {1 / shown:.0f} times"
    words += ", too short to be seen" if longest * shown < 0.1 else ""
    axes.fill([-1, 1, -1], [-1, -1, 1], color=_FAINT, alpha=0.35, linewidth=0)
    axes.plot([-1, 1], [1, -1], color=_SOFT, linewidth=1, linestyle=(0, (4, 3)))
    x, arrows = points.numpy(), (taken * shown).numpy()
    axes.quiver(
        x[:, 0], x[:, 1], arrows[:, 0], arrows[:, 1], angles="xy", scale_units="xy", scale=1, color=_COLOURS[name],
        width=0.006, headwidth=4, headlength=5,
    )  # fmt: skip
    axes.scatter(x[:, 0], x[:, 1], s=7, color=_INK, zorder=3)
    axes.set_xlim(-1.15, 1.15)
    axes.set_ylim(-1.15, 1.15)
    axes.set_aspect("equal")
    axes.set_title(f"step, {words}", fontsize=10, color=_SOFT, loc="left")
    axes.set_xlabel("u1", fontsize=9, color=_SOFT)
    axes.set_ylabel("u2", fontsize=9, color=_SOFT, labelpad=-4)
    _tidy(axes)


def _draw_slice(axes: Axes, drawn: Mapping[str, Tensor]) -> None:
    """Priors along the diagonal from the blurriest picture to the sharpest, each from 0 on the line to 1 (Fig. 11)."""
    for name, heights in drawn.items():
        along = heights.diagonal()
        middle = along[len(along) // 2]
        scaled = (along - middle) / (along[0] - middle)
        line = torch.linspace(-1, 1, len(along))
        axes.plot(line.numpy(), scaled.numpy(), label=TITLES[name], linewidth=2, **_line(name))
    axes.set_ylim(-1.1, 1.2)
    axes.set_title(
        "priors along the diagonal u1 = u2, scaled to the corner (-1, -1)", fontsize=12, color=_INK, loc="left"
    )
    axes.set_xlabel("u1 = u2; blurry below 0, sharp above", fontsize=10, color=_SOFT)
    axes.axvline(0, color=_FAINT, linewidth=1)
    _tidy(axes)


def _draw_lengths(axes: Axes, steps: Mapping[str, Field]) -> None:
    """Length of the step along the blurry half of the diagonal, against the distance it should go."""
    line = torch.linspace(-1, 0, 201)[:-1]
    points = line[:, None].expand(-1, 2)  # (200, 2)
    for name, title in TITLES.items():
        length = steps[name](points).detach().norm(dim=-1)
        axes.plot(line.numpy(), length.clamp(min=1e-4).numpy(), label=title, linewidth=2, **_line(name))
    axes.set_yscale("log")
    axes.set_ylim(0.8e-4, None)
    axes.set_title("length of the step there; below 0.0001 at the edge", fontsize=12, color=_INK, loc="left")
    axes.set_xlabel("u1 = u2", fontsize=10, color=_SOFT)
    axes.legend(fontsize=10, frameon=False, loc="lower center")
    _tidy(axes)


def _line(name: str) -> dict[str, Any]:
    return {"color": _COLOURS[name], "linestyle": (0, (4, 2)) if name == "analytic" else "solid"}


def _tidy(axes: Axes) -> None:
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_SOFT, length=0, labelsize=9)
