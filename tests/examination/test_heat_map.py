from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.degradations.catalogue import GRIDS_ELEVEN
from unblemish.examination.errors import ExaminationError
from unblemish.examination.heat_map import save_heat_map
from unblemish.examination.similarity import SimilarityMatrix

NAMES = (*GRIDS_ELEVEN, "haze", "darkness", "rain", "clean")


def matrix(names: tuple[str, ...] = NAMES) -> SimilarityMatrix:
    divergences = np.random.default_rng(0).random((len(names), len(names)))
    np.fill_diagonal(divergences, 0)
    return SimilarityMatrix(names, divergences)


def test_fifteen_names_fill_a_legible_picture(tmp_path: Path) -> None:
    path = tmp_path / "made" / "map.png"
    save_heat_map(matrix(), path, "what it shows")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width > 1500
        colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 100
    assert list(path.parent.iterdir()) == [path]


def test_rows_follow_the_dendrogram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    shown: list[np.ndarray] = []
    draw = Axes.imshow

    def watched(self, x, *words, **options):
        shown.append(np.asarray(x))
        return draw(self, x, *words, **options)

    monkeypatch.setattr(Axes, "imshow", watched)
    sides = (1, 0, 1, 0)  # two clusters that alternate in the matrix
    divergences = np.array(
        [[0 if i == j else 0.01 if a == b else 9 for j, b in enumerate(sides)] for i, a in enumerate(sides)]
    )
    save_heat_map(SimilarityMatrix(("a", "b", "c", "d"), divergences), tmp_path / "map.png")
    assert (shown[0][:2, :2] < 4).all()
    assert (shown[0][2:, 2:] < 4).all()
    assert (shown[0][:2, 2:] > 4).all()


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(ExaminationError, match=r"map.pdf: heat maps are written as .png"):
        save_heat_map(matrix(), tmp_path / "map.pdf")
    with pytest.raises(ExaminationError, match="at least two"):
        save_heat_map(matrix(("jpeg",)), tmp_path / "map.png")
