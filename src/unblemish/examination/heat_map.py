"""The similarity matrix as a picture: a heat map whose rows follow a dendrogram."""

from __future__ import annotations

import io
from pathlib import Path

from unblemish.degradations.catalogue import create, names
from unblemish.examination.errors import ExaminationError
from unblemish.examination.similarity import SimilarityMatrix
from unblemish.files import write_atomically


def save_heat_map(matrix: SimilarityMatrix, path: Path, caption: str = "") -> None:
    """Draws the symmetric distances, clustered by average linkage, as a PNG of about 1700 x 1200 pixels.

    Args:
        matrix: Of at least two degradations.
        path: Ends in .png; its folder is made where it is missing.
        caption: A line below the map, such as the protocol.

    Raises:
        ExaminationError: The ending is another one, or there is nothing to compare.
        ModuleNotFoundError: matplotlib or SciPy is not installed.
        OSError: The file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise ExaminationError(f"{path}: heat maps are written as .png; choose this ending")
    count = len(matrix.names)
    if count < 2:
        raise ExaminationError("a heat map needs at least two degradations; name more")
    # Not pyplot, which keeps figures and chooses a window system.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from scipy.cluster.hierarchy import dendrogram, linkage
    from scipy.spatial.distance import squareform

    distances = matrix.distances
    figure = Figure(figsize=(11.5, 8), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    tree, heat = figure.subplots(1, 2, width_ratios=(1, 4))
    drawn = dendrogram(
        linkage(squareform(distances, checks=False), "average"),
        orientation="left",
        ax=tree,
        no_labels=True,
        color_threshold=0,
        above_threshold_color="0.25",
    )
    tree.invert_yaxis()
    tree.set_xlabel("joined at distance")
    tree.spines[["left", "right", "top"]].set_visible(False)
    order = drawn["leaves"]
    shown = distances[order][:, order]
    image = heat.imshow(shown, cmap="viridis", vmin=0, aspect="auto")
    labels = [_label(matrix.names[index]) for index in order]
    heat.set_xticks(range(count), labels, rotation=40, ha="right", rotation_mode="anchor")
    heat.set_yticks(range(count), labels)
    middle = 0.5 * float(shown.max())
    for row in range(count):
        for column in range(count):
            value = float(shown[row, column])
            colour = "white" if value < middle else "black"
            heat.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=9)
    figure.colorbar(image, ax=heat, label="log10(KL + 1e-5) + 5, mean of both directions", shrink=0.8)
    if caption:
        figure.supxlabel(caption, fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def _label(name: str) -> str:
    """A degradation's title; any other name with a capital letter."""
    return create(name).title if name in names() else name.replace("_", " ").capitalize()
