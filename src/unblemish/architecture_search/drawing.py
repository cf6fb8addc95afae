"""Architectures and the course of a search as figures.

Source: Gou et al., "CLEARER", NeurIPS 2020: networks are drawn in the manner of Fig. 1(c) and of Fig. 3 and 4 of its
supplement. Colours are told apart by the colour-blind too (Okabe and Ito), and operations also by their dashes.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.found import fusion_alphas
from unblemish.files import write_atomically
from unblemish.networks.multiscale import FUSION, PARALLEL, parse_architecture
from unblemish.studies.records import standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

History = Sequence[tuple[int, dict[str, float]]]
"""Steps, rising, each with the fusion alphas by "CELL.COLUMN", both from 1."""

ENDINGS = (".svg", ".png", ".pdf")
"""Of the files that can be drawn."""

_CONVOLUTION, _STRIDED, _UPSAMPLING, _IDENTITY = "convolution", "strided convolution", "upsampling", "identity"

_OPERATIONS: dict[str, dict[str, Any]] = {
    _CONVOLUTION: {"color": "#0072b2", "linestyle": "-", "linewidth": 2.2},
    _STRIDED: {"color": "#d55e00", "linestyle": (0, (6, 1.3)), "linewidth": 1.4},
    _UPSAMPLING: {"color": "#009e73", "linestyle": (0, (1.5, 1)), "linewidth": 1.5},
    _IDENTITY: {"color": "#6b7280", "linestyle": "-", "linewidth": 1.0},
}
_MODULES = {PARALLEL: ("#0072b2", "#e3eff8"), FUSION: ("#b34700", "#fbeadb")}
"""Colours of a module's letter and of what lies behind it."""

_CELLS = ("#0072b2", "#d55e00", "#009e73", "#b0568f", "#c48a00", "#56b4e9", "#1f2933")
_DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (5, 1.4, 1.2, 1.4)))
_INK, _SOFT, _FAINT = "#1f2933", "#6b7280", "#c5cbd3"
_LIGHT, _DARK = (0.88, 0.82, 0.94), (0.33, 0.16, 0.50)
"""Squares at full and at the lowest resolution."""

_PITCH, _ROW, _SQUARE = 0.84, 0.72, 0.26
"""Inches between two columns, between two rows, and of a square's side."""

_NAMES = 25
"""Columns whose names fit beside each other in full size."""

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
    axes.text(0.25, height - 0.2, "\n".join(lines), fontsize=13, color=_INK, va="top", parse_math=False)
    left = (width - _PITCH * len(modules) + 0.3) / 2
    _draw_network(axes, modules, left, bottom + network)
    _draw_heads(axes, modules, left, bottom + network + 0.42, alphas)
    _draw_legend(axes, 6 if width >= 11 else 3)
    _save(figure, path, title)


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
    figure = _figure(9, 5.2)
    axes = figure.add_axes((0.085, 0.11, 0.83, 0.79))
    names = list(history[-1][1])
    for name in names:
        points = [(step, alphas[name]) for step, alphas in history if name in alphas]
        axes.plot(*zip(*points, strict=True), **_line(name), marker="o" if len(points) == 1 else None)
    every = [alpha for _, alphas in history for alpha in alphas.values()]
    reach = min(max(0.02, 1.12 * max(abs(alpha - 0.5) for alpha in every)), 0.53)
    axes.set_ylim(0.5 - reach, 0.5 + reach)
    axes.set_xlim(0, history[-1][0])
    axes.axhline(0.5, color=_SOFT, linewidth=0.8, zorder=1)
    axes.set_title("weight of the fusion module in each column (CELL.COLUMN)", fontsize=12, color=_INK, loc="left")
    axes.set_xlabel("steps", fontsize=10, color=_SOFT)
    axes.set_ylabel("←  parallel        fusion  →", fontsize=10, color=_SOFT)
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=_SOFT, length=0, pad=6)
    _draw_names(axes, history[-1][1])
    _save(figure, path, "fusion alphas")


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


def check_ending(path: Path) -> None:
    """Complains of a file that cannot be drawn.

    Raises:
        SearchError: It ends in none of `ENDINGS`.
    """
    if path.suffix.lower() not in ENDINGS:
        raise SearchError(f"{path}: drawings are written as {', '.join(ENDINGS)}; choose one of these endings")


def _fused(sources: int, targets: int) -> tuple[tuple[int, int, str], ...]:
    """Every source to every target."""
    kinds = {-1: _UPSAMPLING, 0: _IDENTITY, 1: _STRIDED}
    return tuple(
        (source, target, kinds[(target > source) - (target < source)])
        for source in range(sources)
        for target in range(targets)
    )


def _figure(width: float, height: float) -> Figure:
    """White, in inches."""
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure and axes over all of it, whose unit is the inch."""
    figure = _figure(width, height)
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
        axes.text(left - 0.45, top - row * _ROW, label, fontsize=10, color=_SOFT, ha="right", va="center")
    counts = [1, *(module.rows for module in modules)]
    for place, count in enumerate(counts):
        for row in range(count):
            x, y = left + place * _PITCH - _SQUARE / 2, top - row * _ROW - _SQUARE / 2
            share = row / max(1, rows - 1)
            shade = [a + (b - a) * share for a, b in zip(_LIGHT, _DARK, strict=True)]
            outer = place in (0, len(counts) - 1)  # pictures
            box = FancyBboxPatch(
                (x, y), _SQUARE, _SQUARE, boxstyle="round,pad=0,rounding_size=0.04", zorder=3,
                facecolor="white" if outer else shade, edgecolor=_INK if outer else _DARK,
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
        axes.text(left + place * _PITCH, top - 0.24, word, fontsize=8.5, color=_INK, ha="center", va="top")


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
            axes.text(x, bottom + up + 0.04, module.title, fontsize=8.5, color=_SOFT, ha="center", va="bottom")
            continue
        colour, tint = _MODULES[module.title]
        gap = _PITCH - _SQUARE
        low = bottom - 0.42 - (module.rows - 1) * _ROW - _SQUARE / 2 - 0.1
        axes.add_patch(Rectangle((x - gap / 2, low), gap, bottom + up + 0.32 - low, color=tint, linewidth=0, zorder=0))
        axes.text(x, bottom + up, module.title, fontsize=15, weight="bold", color=colour, ha="center", va="bottom")
        if alphas is not None:
            axes.text(x, bottom, f"{next(weights)[1]:.2f}", fontsize=9, color=_INK, ha="center", va="bottom")
        places.setdefault(module.cell, []).append(x)
    if alphas is not None:
        axes.text(places[1][0] - 0.32, bottom, "fusion α", fontsize=9, color=_INK, ha="right", va="bottom")
    for cell, xs in places.items():
        ends, y = (xs[0] - 0.24, xs[-1] + 0.24), bottom + up + 0.45
        axes.plot((ends[0], *ends, ends[1]), (y - 0.07, y, y, y - 0.07), color=_SOFT, linewidth=1)
        axes.text(sum(ends) / 2, y + 0.05, f"cell {cell}", fontsize=9.5, color=_INK, ha="center", va="bottom")


def _draw_legend(axes: Axes, columns: int) -> None:
    """Operations and modules, below everything."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Line2D([], [], label=name, **look) for name, look in _OPERATIONS.items()]
    for letter, word in ((PARALLEL, "parallel module"), (FUSION, "fusion module")):
        handles.append(Patch(facecolor=_MODULES[letter][1], edgecolor=_FAINT, label=f"{letter}  {word}"))
    axes.legend(
        handles=handles, loc="lower center", ncols=columns, fontsize=9.5, frameon=False, labelcolor=_INK,
        handlelength=2.6, columnspacing=2, borderaxespad=0.4,
    )  # fmt: skip


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


def _save(figure: Figure, path: Path, title: str) -> None:
    """Writes a figure in one step, without the date and with the same names inside each time."""
    from matplotlib import rc_context

    kind = path.suffix.lower().removeprefix(".")
    metadata = {"svg": {"Date": None, "Title": title}, "pdf": {"CreationDate": None, "Title": title}, "png": None}
    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "unblemish"}), warnings.catch_warnings():
        # The font lacks some scripts that titles are written in; their letters become boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format=kind, dpi=150, metadata=metadata[kind])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())
