"""Files that figures of a search are written to, and what those figures share."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from unblemish.architecture_search.errors import SearchError
from unblemish.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".svg", ".png", ".pdf")
"""Of the files that can be drawn."""

INK, SOFT, FAINT = "#1f2933", "#6b7280", "#c5cbd3"
"""Colours of what is read first, of what explains it, and of what only guides the eye."""


def check_ending(path: Path) -> None:
    """Complains of a file that cannot be drawn.

    Raises:
        SearchError: It ends in none of `ENDINGS`.
    """
    if path.suffix.lower() not in ENDINGS:
        raise SearchError(f"{path}: drawings are written as {', '.join(ENDINGS)}; choose one of these endings")


def blank_figure(width: float, height: float) -> Figure:
    """An empty white figure.

    Args:
        width: In inches.
        height: In inches.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path, title: str) -> None:
    """Writes a figure in one step, without the date and with the same names inside each time.

    Args:
        figure: Such as `blank_figure` gives.
        path: Ends in one of `ENDINGS`; its folder is made where it is missing, an existing file is replaced.
        title: Of an SVG or a PDF, told to whoever asks for its properties.

    Raises:
        OSError: The file cannot be written.
    """
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
