from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.figure_files import ENDINGS, blank_figure, check_ending, save_figure


def test_pictures_and_documents_are_written(tmp_path: Path) -> None:
    figure = blank_figure(2, 1)
    for ending in ENDINGS:
        save_figure(figure, tmp_path / "deep" / f"a{ending}", "a $title & <more>")
    ElementTree.parse(tmp_path / "deep" / "a.svg")
    assert (tmp_path / "deep" / "a.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "deep" / "a.png") as image:
        assert image.size == (300, 150)
        assert image.convert("RGB").getcolors() == [(300 * 150, (255, 255, 255))]


@pytest.mark.parametrize("name", ["a.svg", "b.SVG", "a.png", "a.pdf"])
def test_endings_that_can_be_drawn(name: str) -> None:
    check_ending(Path(name))


@pytest.mark.parametrize("name", ["a", "a.jpg", "svg", "a.svg.gz"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(SearchError, match=rf"{name}: drawings are written as \.svg, \.png, \.pdf; choose one"):
        check_ending(Path(name))
