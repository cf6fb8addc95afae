"""What `unblemish search` shows while a search goes on: the weights of the modules, above the bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from unblemish.architecture_search.found import fusion_alphas, likeliest, mean_gap
from unblemish.commands.console import TrainingProgress, progress_bar
from unblemish.networks.multiscale import FUSION, PARALLEL

_COLOURS = {PARALLEL: "#3a8fd0", FUSION: "#e07b28"}
"""Of the modules; the same hues as in drawings."""

_WIDEST, _NARROWEST = 8, 3
"""Characters of an alpha's bar; where there is no room for a narrow one, there is none."""

_FIRST, _BESIDE = 10, 9
"""Characters of the table's first column, and of the others besides their bars, with the room between."""

_MOVED = "architecture/polarisation"
"""A term that is there once the architecture is learnt."""


class SearchProgress(TrainingProgress):
    """Shows a search as `TrainingProgress` shows a training, and with it the fusion alphas.

    On a terminal they are a table above the bar, which follows every step. In a pipe each validation adds a line with
    the likeliest architecture and the mean gap.

    Args:
        advice: How a stopped search goes on.
        console: Where to; None is standard error.
    """

    def __init__(self, advice: str = "add --resume to go on", console: Console | None = None) -> None:
        self._terms: Mapping[str, float] = {}
        super().__init__(advice, progress_bar(console, self._above))

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """Moves the bar; the table follows when it is next drawn."""
        super().on_step(step, terms, rate)
        self._terms = terms

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """Prints the scores and the time left, and in a pipe what the architecture is so far."""
        super().on_validation(step, scores, best)
        if self._progress.disable and self._terms:
            self._say(summary(self._terms))

    def _above(self) -> Iterator[RenderableType]:
        if terms := self._terms:
            yield table(terms, self._progress.console)
            yield Text(summary(terms))


def summary(terms: Mapping[str, float]) -> str:
    """The likeliest architecture and the mean gap, and whether the search still warms up.

    Args:
        terms: Of a search's step, see `architecture_search.task`.
    """
    fusion = fusion_alphas(terms)
    gap = mean_gap((1 - alpha, alpha) for alpha in fusion.values())
    warming = "" if _MOVED in terms else " (warm-up: the weights alone are learnt)"
    return f"architecture {likeliest(fusion)}, gap {gap:.2f}{warming}"


def table(terms: Mapping[str, float], console: Console) -> Table:
    """One row a cell and one column a column: the leading module's letter, the fusion alpha, and a bar of it.

    Args:
        terms: Of a search's step, see `architecture_search.task`.
        console: Says how wide bars may be, and whether it knows their characters.
    """
    fusion = fusion_alphas(terms)
    columns = range(1, max(column for _, column in fusion) + 1)
    side = min(_WIDEST, (console.width - _FIRST) // len(columns) - _BESIDE)
    side = side if side >= _NARROWEST else 0
    signs = "#-" if console.options.ascii_only else "█░"
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    shown.add_column("fusion" if console.options.ascii_only else "fusion α", style="dim", no_wrap=True)
    for column in columns:
        shown.add_column(f"column {column}", no_wrap=True)
    for cell in dict.fromkeys(cell for cell, _ in fusion):
        found = (fusion.get((cell, column)) for column in columns)
        shown.add_row(f"cell {cell}", *("" if alpha is None else _entry(alpha, side, signs) for alpha in found))
    return shown


def _entry(alpha: float, side: int, signs: str) -> Text:
    """Such as "F 0.75 ██████░░": the bar's first part is the fusion module's."""
    leading = FUSION if alpha > 0.5 else PARALLEL
    filled = round(alpha * side)
    return Text.assemble(
        (leading, f"bold {_COLOURS[leading]}"),
        f" {alpha:.2f} ",
        (signs[0] * filled, _COLOURS[FUSION]),
        (signs[1] * (side - filled), _COLOURS[PARALLEL]),
    )
