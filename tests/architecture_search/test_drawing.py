from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from unblemish.architecture_search.drawing import draw_alphas, draw_architecture, modules_of, read_history
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


def test_pictures_and_documents_are_drawn_too(tmp_path: Path) -> None:
    draw_architecture("P", tmp_path / "a.png", "a title that is too long for one line " * 4)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 900
    draw_architecture("P", tmp_path / "a.pdf", "title")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_mistakes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"a\.jpg: drawings are written as \.svg, \.png, \.pdf; choose one"):
        draw_architecture("P", tmp_path / "a.jpg", "title")
    with pytest.raises(SearchError, match="'PX' is not allowed"):
        draw_architecture("PX", tmp_path / "a.svg", "title")
    with pytest.raises(SearchError, match="PF/F has 3 columns, but 1 alphas"):
        draw_architecture("PF/F", tmp_path / "a.svg", "title", [(0.5, 0.5)])
    with pytest.raises(SearchError, match="choose one of these endings"):
        draw_alphas([(1, {"1.1": 0.5})], tmp_path / "a")
    for history in ([], [(50, {})]):
        with pytest.raises(SearchError, match="no alphas to draw yet"):
            draw_alphas(history, tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("steps", [1, 3])
def test_alphas_are_drawn(steps: int, tmp_path: Path) -> None:
    columns = [f"{cell}.{column}" for cell in range(1, 10) for column in range(1, 6)]
    history = [(50 * step, dict.fromkeys(columns, 0.5)) for step in range(1, steps + 1)]
    for name in ("a.svg", "b.svg"):
        draw_alphas(history, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    ElementTree.parse(tmp_path / "a.svg")


def test_the_history_leaves_out_what_a_resumption_made_void(tmp_path: Path) -> None:
    lines = [
        {"event": "start", "step": 0},
        {"event": "train", "step": 50, "loss": 1.0, "alpha/1.1": 0.5, "alpha/2.1": 0.6},
        {"event": "train", "step": 100, "alpha/1.1": 0.9, "alpha/2.1": 0.9},
        {"event": "start", "step": 60},
        {"event": "validation", "step": 80, "gain": 1.0},
        {"event": "train", "step": 100, "alpha/1.1": 0.4, "alpha/2.1": 0.7},
    ]
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "tra')
    assert read_history(path) == [(50, {"1.1": 0.5, "2.1": 0.6}), (100, {"1.1": 0.4, "2.1": 0.7})]
    with pytest.raises(SearchError, match=r"none\.jsonl: cannot be read"):
        read_history(tmp_path / "none.jsonl")
