"""Architectures as figures.

Source: Gou et al., "CLEARER", NeurIPS 2020: networks are drawn in the manner of Fig. 1(c) and of Fig. 3 and 4 of its
supplement. Colours are told apart by the colour-blind too (Okabe and Ito), and operations also by their dashes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.figure_files import FAINT, INK, SOFT, blank_figure, check_ending, save_figure
from unblemish.networks.multiscale import FUSION, PARALLEL, parse_architecture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CONVOLUTION, _STRIDED, _UPSAMPLING, _IDENTITY = "convolution", "strided convolution", "upsampling", "identity"

_OPERATIONS: dict[str, dict[str, Any]] = {
    _CONVOLUTION: {"color": "#0072b2", "linestyle": "-", "linewidth": 2.2},
    _STRIDED: {"color": "#d55e00", "linestyle": (0, (6, 1.3)), "linewidth": 1.4},
    _UPSAMPLING: {"color": "#009e73", "linestyle": (0, (1.5, 1)), "linewidth": 1.5},
    _IDENTITY: {"color": "#6b7280", "linestyle": "-", "linewidth": 1.0},
}
_MODULES = {PARALLEL: ("#0072b2", "#e3eff8"), FUSION: ("#b34700", "#fbeadb")}
"""Colours of a module's letter and of what lies behind it."""

_LIGHT, _DARK = (0.88, 0.82, 0.94), (0.33, 0.16, 0.50)
"""Squares at full and at the lowest resolution."""

_PITCH, _ROW, _SQUARE = 0.84, 0.72, 0.26
"""Inches between two columns, between two rows, and of a square's side."""

_SPREAD = 0.8
"""Share of a square's side that edges leave or enter at."""


@dataclass(frozen=True, slots=True)
class Module:
    """What leads from one column of squares to the next.

    Attributes:
        title: Such as "transition"; the letter of a column of a cell.
        cell: From 1, of a column of a cell; else 0.
        edges: Row of the source, row of the target (0 is full resolution) and name of the operation.
        rows: Squares it makes.
    """

    title: str
    cell: int
    edges: tuple[tuple[int, int, str], ...]
    rows: int


def modules_of(architecture: str) -> Iterator[Module]:
    """The modules of a network from its input, which is one square, to its output.

    Raises:
        ValueError: The text is no architecture.
    """
    cells = parse_architecture(architecture)
    single = ((0, 0, _CONVOLUTION),)
    yield from (Module("stem", 0, single, 1), Module("stem", 0, single, 1))
    for cell, letters in enumerate(cells, start=1):
        kept = single if cell == 1 else tuple((row, row, _IDENTITY) for row in range(cell))
        yield Module("transition", 0, (*kept, (cell - 1, cell, _STRIDED)), cell + 1)
        for letter in letters:
            parallel = tuple((row, row, _CONVOLUTION) for row in range(cell + 1))
            yield Module(letter, cell, parallel if letter == PARALLEL else _fused(cell + 1, cell + 1), cell + 1)
    yield Module("fusion", 0, _fused(len(cells) + 1, 1), 1)
    yield Module("1×1", 0, single, 1)


def draw_architecture(
    architecture: str, path: Path, title: str, alphas: Sequence[Sequence[float]] | None = None
) -> None:
    """Draws a network: squares are features, one row a resolution, and edges are operations.

    The last edge is the 1x1 convolution, which makes the output. The same arguments draw the same bytes as an SVG.

    Args:
        architecture: Such as "FPPF/FFFF/PFFP".
        path: Ends in one of `ENDINGS`; its folder is made where it is missing, an existing file is replaced.
        title: Stands above.
        alphas: Weights of the parallel and of the fusion module of each column, cell by cell; None leaves them out.

    Raises:
        SearchError: The ending is another one, the text is no architecture, or the alphas are not as many.
        ModuleNotFoundError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    check_ending(path)
    try:
        modules = list(modules_of(architecture))
    except ValueError as error:
        raise SearchError(str(error)) from error
    searched = sum(bool(module.cell) for module in modules)
    if alphas is not None and len(alphas) != searched:
        raise SearchError(f"{architecture} has {searched} columns, but {len(alphas)} alphas; give one pair for each")
    rows = max(module.rows for module in modules)
    width = max(1.1 + _PITCH * len(modules) + 0.7, 7.2)
    lines = textwrap.wrap(title, int(width * 10)) or [""]
    bottom = 0.95 if width < 11 else 0.7
    network = _ROW * (rows - 1)
    height = bottom + network + (1.5 if alphas is None else 1.75) + 0.26 * len(lines)
    figure, axes = _canvas(width, height)
    axes.text(0.25, height - 0.2, "\n".join(lines), fontsize=13, color=INK, va="top", parse_math=False)
    left = (width - _PITCH * len(modules) + 0.3) / 2
    _draw_network(axes, modules, left, bottom + network)
    _draw_heads(axes, modules, left, bottom + network + 0.42, alphas)
    _draw_legend(axes, 6 if width >= 11 else 3)
    save_figure(figure, path, title)


def _fused(sources: int, targets: int) -> tuple[tuple[int, int, str], ...]:
    """Every source to every target."""
    kinds = {-1: _UPSAMPLING, 0: _IDENTITY, 1: _STRIDED}
    return tuple(
        (source, target, kinds[(target > source) - (target < source)])
        for source in range(sources)
        for target in range(targets)
    )


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure and axes over all of it, whose unit is the inch."""
    figure = blank_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    return figure, axes


def _draw_network(axes: Axes, modules: Sequence[Module], left: float, top: float) -> None:
    """Squares and edges; the first square is at `left`, full resolution at height `top`, both in inches."""
    from matplotlib.patches import FancyBboxPatch

    rows = max(module.rows for module in modules)
    for row in range(rows):
        label = "1×" if row == 0 else f"1/{2**row}"
        axes.text(left - 0.45, top - row * _ROW, label, fontsize=10, color=SOFT, ha="right", va="center")
    counts = [1, *(module.rows for module in modules)]
    for place, count in enumerate(counts):
        for row in range(count):
            x, y = left + place * _PITCH - _SQUARE / 2, top - row * _ROW - _SQUARE / 2
            share = row / max(1, rows - 1)
            shade = [a + (b - a) * share for a, b in zip(_LIGHT, _DARK, strict=True)]
            outer = place in (0, len(counts) - 1)  # pictures
            box = FancyBboxPatch(
                (x, y), _SQUARE, _SQUARE, boxstyle="round,pad=0,rounding_size=0.04", zorder=3,
                facecolor="white" if outer else shade, edgecolor=INK if outer else _DARK,
                linewidth=1.4 if outer else 0.8,
            )  # fmt: skip
            box.set_gid(f"square-{place}-{row}")
            axes.add_patch(box)
    for place, module in enumerate(modules):
        start, end = left + place * _PITCH + _SQUARE / 2, left + (place + 1) * _PITCH - _SQUARE / 2
        for source, target, operation in module.edges:
            bend = _SPREAD * _SQUARE / 2 * (source - target) / max(2, rows - 1)
            heights = top - source * _ROW + bend, top - target * _ROW - bend
            (line,) = axes.plot((start, end), heights, **_OPERATIONS[operation], zorder=2, solid_capstyle="butt")
            line.set_gid(f"edge-{place}-{source}-{target}")
    for place, word in ((0, "input"), (len(modules), "output")):
        axes.text(left + place * _PITCH, top - 0.24, word, fontsize=8.5, color=INK, ha="center", va="top")


def _draw_heads(
    axes: Axes, modules: Sequence[Module], left: float, bottom: float, alphas: Sequence[Sequence[float]] | None
) -> None:
    """What stands above the modules, from `bottom` (inches) up: letters, alphas, brackets of cells; and the tints."""
    from matplotlib.patches import Rectangle

    weights = iter(alphas or ())
    places: dict[int, list[float]] = {}
    up = 0.0 if alphas is None else 0.25
    for place, module in enumerate(modules):
        x = left + (place + 0.5) * _PITCH
        if not module.cell:
            axes.text(x, bottom + up + 0.04, module.title, fontsize=8.5, color=SOFT, ha="center", va="bottom")
            continue
        colour, tint = _MODULES[module.title]
        gap = _PITCH - _SQUARE
        low = bottom - 0.42 - (module.rows - 1) * _ROW - _SQUARE / 2 - 0.1
        axes.add_patch(Rectangle((x - gap / 2, low), gap, bottom + up + 0.32 - low, color=tint, linewidth=0, zorder=0))
        axes.text(x, bottom + up, module.title, fontsize=15, weight="bold", color=colour, ha="center", va="bottom")
        if alphas is not None:
            axes.text(x, bottom, f"{next(weights)[1]:.2f}", fontsize=9, color=INK, ha="center", va="bottom")
        places.setdefault(module.cell, []).append(x)
    if alphas is not None:
        axes.text(places[1][0] - 0.32, bottom, "fusion α", fontsize=9, color=INK, ha="right", va="bottom")
    for cell, xs in places.items():
        ends, y = (xs[0] - 0.24, xs[-1] + 0.24), bottom + up + 0.45
        axes.plot((ends[0], *ends, ends[1]), (y - 0.07, y, y, y - 0.07), color=SOFT, linewidth=1)
        axes.text(sum(ends) / 2, y + 0.05, f"cell {cell}", fontsize=9.5, color=INK, ha="center", va="bottom")


def _draw_legend(axes: Axes, columns: int) -> None:
    """Operations and modules, below everything."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Line2D([], [], label=name, **look) for name, look in _OPERATIONS.items()]
    for letter, word in ((PARALLEL, "parallel module"), (FUSION, "fusion module")):
        handles.append(Patch(facecolor=_MODULES[letter][1], edgecolor=FAINT, label=f"{letter}  {word}"))
    axes.legend(
        handles=handles, loc="lower center", ncols=columns, fontsize=9.5, frameon=False, labelcolor=INK,
        handlelength=2.6, columnspacing=2, borderaxespad=0.4,
    )  # fmt: skip
