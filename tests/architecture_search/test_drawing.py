from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from unblemish.architecture_search.drawing import draw_architecture, modules_of
from unblemish.architecture_search.errors import SearchError
from unblemish.networks.multiscale import multiscale
from unblemish.networks.multiscale_modules import Fusion, Parallel

ARCHITECTURES = ("FPPF/FFFF/PFFP", "PF/F", "P", "F/P/F/P/F")


def squares(architecture: str) -> int:
    """Input, two of the stem, the fused one and the output; and in cell i, i + 1 after its transition and columns."""
    return 5 + sum((cell + 1) * (1 + len(letters)) for cell, letters in enumerate(architecture.split("/"), start=1))


def names(path: Path) -> list[str]:
    """Identifiers of an SVG's elements, which must be different ones."""
    found = [element.get("id", "") for element in ElementTree.parse(path).iter()]
    given = [name for name in found if name.startswith(("square-", "edge-"))]
    assert len(set(given)) == len(given)
    return given


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_feature_is_a_square_and_every_operation_an_edge(architecture: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "drawn.svg"
    draw_architecture(architecture, path, "a $title & <more>")
    counts = Counter(name.partition("-")[0] for name in names(path))
    assert counts["square"] == squares(architecture)
    assert counts["edge"] == sum(len(module.edges) for module in modules_of(architecture))


def test_squares_by_hand() -> None:
    assert [squares(one) for one in ARCHITECTURES[:3]] == [50, 17, 9]


def test_edges_are_the_paths_of_the_network() -> None:
    architecture = "FP/PF"
    network = multiscale(architecture=architecture, width=2)
    modules = list(modules_of(architecture))
    by_title = Counter[str]()
    for module in network.modules():
        if isinstance(module, Parallel):
            by_title["P"] += len(module.blocks)
        elif isinstance(module, Fusion):
            by_title["fusion" if module is network.fuse else "F"] += sum(1 for p in module.paths for _ in p)
    drawn = Counter[str]()
    for module in modules:
        drawn[module.title] += len(module.edges)
    assert drawn == by_title + Counter(stem=2, transition=2 + 3) + Counter({"1×1": 1})
    assert [module.rows for module in modules] == [1, 1, 2, 2, 2, 3, 3, 3, 1, 1]


def test_operations_go_the_right_way() -> None:
    for module in modules_of("FPPF/FFFF/PFFP"):
        for source, target, operation in module.edges:
            allowed = {"upsampling"} if target < source else {"strided convolution"}
            assert operation in (allowed if target != source else {"identity", "convolution"})


def test_the_same_is_drawn_twice_to_the_byte(tmp_path: Path) -> None:
    drawn = []
    for name in ("a.svg", "b.SVG"):
        draw_architecture("PF/F", tmp_path / name, "title", [(0.7, 0.3), (0.2, 0.8), (0.1, 0.9)])
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert b"<dc:date>" not in drawn[0]
    draw_architecture("PF/F", tmp_path / "c.svg", "title")
    assert (tmp_path / "c.svg").read_bytes() != drawn[0]


def test_mistakes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="choose one of these endings"):
        draw_architecture("P", tmp_path / "a.jpg", "title")
    with pytest.raises(SearchError, match="'PX' is not allowed"):
        draw_architecture("PX", tmp_path / "a.svg", "title")
    with pytest.raises(SearchError, match="PF/F has 3 columns, but 1 alphas"):
        draw_architecture("PF/F", tmp_path / "a.svg", "title", [(0.5, 0.5)])
    assert not list(tmp_path.iterdir())


def test_long_titles_get_more_lines(tmp_path: Path) -> None:
    sizes = []
    for name, title in (("short.png", "title"), ("long.png", "a title that is too long for one line " * 4)):
        draw_architecture("P", tmp_path / name, title)
        with Image.open(tmp_path / name) as image:
            sizes.append(image.size)
    assert sizes[0][0] == sizes[1][0] > 900
    assert sizes[0][1] < sizes[1][1]
