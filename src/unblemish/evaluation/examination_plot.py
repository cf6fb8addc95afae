"""One examination as a figure: the picture with its damage, distances, probabilities, fitted densities."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from unblemish.evaluation.errors import EvaluationError
from unblemish.examination.examination import Examination, Verdict
from unblemish.examination.examiner import REFUSAL, UNKNOWN
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.examination.specimens import CLEAN
from unblemish.files import write_atomically
from unblemish.pictures.picture import Picture, to_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST = 1400
"""Pixels of the picture along a side that are drawn."""

_DAMAGED = 0.5
"""Probability from which on a region is framed as damaged."""

_COLOURS = ("#d1495b", "#2e6fb7", "#e08e1b", "#8659b5", "#1d9aa1", "#b0568f", "#7d7a1c", "#5a6acf")
_CLEAN, _UNKNOWN, _INK, _FAINT = "#3f9b56", "#6b7280", "#1f2933", "#c5cbd3"


def save_plot(
    picture: Picture, found: Examination, signatures: Mapping[str, GeneralisedGaussian], path: Path, label: str
) -> None:
    """Draws an examination as a PNG of about 1800 x 1050 pixels; an existing file is replaced.

    Args:
        picture: What was examined.
        found: What was found.
        signatures: Of "clean" and of every group, as the examiner knows them.
        path: Ends in .png; its folder is made where it is missing.
        label: What the picture is called.

    Raises:
        EvaluationError: The ending is another one.
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise EvaluationError(f"{path}: plots are written as .png; choose this ending")
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 8.75), facecolor="white")
    FigureCanvasAgg(figure)
    left = figure.add_gridspec(1, 1, left=0.02, right=0.46, top=0.80, bottom=0.04)
    right = figure.add_gridspec(2, 2, left=0.55, right=0.98, top=0.79, bottom=0.08, wspace=0.12, hspace=0.42)
    colours = _colours(list(found.probabilities))
    _draw_title(figure, picture, found, label, colours)
    _draw_picture(figure.add_subplot(left[0, 0]), picture, found, colours)
    names = list(found.probabilities)
    distances = figure.add_subplot(right[0, 0])
    _draw_distances(distances, found, names, colours)
    _draw_probabilities(figure.add_subplot(right[0, 1], sharey=distances), found, names, colours)
    _draw_densities(figure.add_subplot(right[1, :]), found, signatures, colours)
    content = io.BytesIO()
    with warnings.catch_warnings():
        # The font lacks some scripts that files are named in; their letters become boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format="png", dpi=120)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def _colours(names: Sequence[str]) -> dict[str, str]:
    """One for each finding, the same in all parts of the figure."""
    groups = [name for name in names if name not in (CLEAN, UNKNOWN)]
    return {CLEAN: _CLEAN, UNKNOWN: _UNKNOWN} | {
        name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(groups)
    }


def _draw_title(figure: Figure, picture: Picture, found: Examination, label: str, colours: Mapping[str, str]) -> None:
    """Name and size; below them the verdict and what treatment would bring."""
    short = label if len(label) <= 90 else f"...{label[-87:]}"
    size = f"{picture.width} x {picture.height} pixels, examined in {found.seconds:.2f} s by {found.rule}"
    figure.text(0.02, 0.955, short, fontsize=13, color=_INK, parse_math=False)
    figure.text(0.98, 0.955, size, fontsize=11, color=_UNKNOWN, ha="right")
    colour = colours[found.group if found.verdict is Verdict.KNOWN else str(found.verdict)]
    figure.text(0.02, 0.9, found.finding, fontsize=24, weight="bold", color=colour, parse_math=False)
    likely = [f"{name.replace('_', ' ')} {share:.0%}" for name, share in list(found.degradations.items())[:3]]
    kinds = "" if found.verdict is Verdict.CLEAN else f"; of what the bundle knows: {', '.join(likely)}"
    figure.text(0.02, 0.865, f"probability {found.confidence:.0%}{kinds}", fontsize=11, color=_INK, parse_math=False)
    gain = found.gain
    interval = f"{gain.low:z.1f} to {gain.high:z.1f} dB in {gain.coverage:.0%} of cases"
    large, small = {
        Verdict.CLEAN: ("nothing to gain", "restore leaves it exactly as it is"),
        Verdict.KNOWN: (f"{gain.expected:+z.1f} dB", f"predicted gain; {interval}"),
        Verdict.UNKNOWN: (
            f"{gain.expected:+z.1f} dB",
            f"predicted gain if it were treated as {found.group}; {interval}",
        ),
    }[found.verdict]
    figure.text(0.98, 0.9, large, fontsize=24, weight="bold", color=_INK, ha="right")
    figure.text(0.98, 0.865, small, fontsize=11, color=_INK, ha="right", parse_math=False)


def _draw_picture(axes: Axes, picture: Picture, found: Examination, colours: Mapping[str, str]) -> None:
    """The picture, and over it the examined squares, the more tinted the surer their damage is.

    Where all are damaged there is nothing to tell apart, and a strong tint would hide the damage itself.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    height, width = picture.height, picture.width
    step = -(-max(height, width) // _LONGEST)
    shown = to_float(picture.pixels[::step, ::step]).clip(0, 1)
    axes.imshow(
        np.broadcast_to(shown, (*shown.shape[:2], 3)), extent=(0, width, height, 0), interpolation="antialiased"
    )
    regions = [region for row in found.regions for region in row]
    strength = 0.1 + 0.4 * sum(region.damage < _DAMAGED for region in regions) / len(regions)
    for region in regions:
        colour = colours[UNKNOWN if region.finding == CLEAN else region.finding]
        edge = to_rgba(colour, 0.25 + 0.75 * region.damage) if region.damage >= _DAMAGED else (1, 1, 1, 0.45)
        sides = min(region.side, width), min(region.side, height)
        axes.add_patch(
            Rectangle(
                (region.left, region.top), *sides, facecolor=to_rgba(colour, strength * region.damage), edgecolor=edge,
                linewidth=1.0,
            )
        )  # fmt: skip
    axes.set_axis_off()
    axes.set_anchor("NW")
    axes.set_title("examined squares, tinted by probability and kind of damage", fontsize=11, color=_INK, loc="left")


def _draw_distances(axes: Axes, found: Examination, names: Sequence[str], colours: Mapping[str, str]) -> None:
    """Bars from clean and from each group; unknown has no signature and none."""
    for place, name in enumerate(names):
        if name in found.distances:
            value = found.distances[name]
            axes.barh(place, value, color=colours[name], height=0.62)
            label = axes.text(value + 0.06, place, f"{value:.2f}", va="center", fontsize=10, color=_INK)
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # over the line of refusal
    axes.axvline(REFUSAL, color=_INK, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.text(REFUSAL, -0.75, "out of domain", ha="center", va="bottom", fontsize=9, color=_INK)
    axes.set_xlim(0, max(REFUSAL, *found.distances.values()) * 1.18)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.7)
    _tidy(axes, "distance", "log10(KL + 1e-5) + 5")
    for tick, name in zip(axes.get_yticklabels(), names, strict=True):
        tick.set(color=colours[name], weight="bold", parse_math=False)


def _draw_probabilities(axes: Axes, found: Examination, names: Sequence[str], colours: Mapping[str, str]) -> None:
    """Bars that add up to one, beside those of the distances."""
    for place, name in enumerate(names):
        value = found.probabilities[name]
        axes.barh(place, value, color=colours[name], height=0.62)
        axes.text(value + 0.02, place, f"{value:.0%}", va="center", fontsize=10, color=_INK)
    axes.set_xlim(0, 1.18)
    axes.set_xticks((0, 0.5, 1), ("0%", "50%", "100%"))
    axes.tick_params(labelleft=False)
    _tidy(axes, "probability", "")


def _draw_densities(
    axes: Axes, found: Examination, signatures: Mapping[str, GeneralisedGaussian], colours: Mapping[str, str]
) -> None:
    """The generalised Gaussians on a logarithmic scale, which shows their tails; one side, as they are symmetric."""
    limit = 4 * max(one.sigma for one in (*signatures.values(), found.signature))
    x = torch.linspace(0, limit, 401, dtype=torch.float64)
    curves = [*signatures.items(), ("this picture", found.signature)]
    drawn = {name: one.log_density(x).exp().numpy() for name, one in curves}
    for name, one in curves:
        own = one is found.signature
        axes.plot(
            x.numpy(), drawn[name], color=_INK if own else colours[name], linewidth=2.6 if own else 1.6,
            linestyle=(0, (5, 2)) if own else "-", label=f"{name}:  α {one.alpha:.2f},  σ {one.sigma:.3g}",
        )  # fmt: skip
    highest = max(float(values.max()) for values in drawn.values())
    axes.set_yscale("log")
    axes.set_ylim(highest * 1e-5, highest * 2)
    axes.set_xlim(0, limit)
    axes.minorticks_off()
    legend = axes.legend(fontsize=10, loc="upper right", framealpha=0.85, edgecolor="none")
    for text in legend.get_texts():
        text.set_parse_math(False)
    _tidy(axes, "fitted density of the deep representation", "magnitude of a principal component of the deep features")


def _tidy(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, fontsize=12, color=_INK, loc="left", pad=14)
    axes.set_xlabel(below, fontsize=10, color=_UNKNOWN, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_UNKNOWN, length=0)
