from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from unblemish.architecture_search.alphas_plot import draw_alphas, read_history
from unblemish.architecture_search.errors import SearchError


@pytest.mark.parametrize("steps", [1, 3])
def test_alphas_are_drawn(steps: int, tmp_path: Path) -> None:
    columns = [f"{cell}.{column}" for cell in range(1, 10) for column in range(1, 6)]
    history = [(50 * step, dict.fromkeys(columns, 0.5)) for step in range(1, steps + 1)]
    for name in ("a.svg", "b.svg"):
        draw_alphas(history, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    ElementTree.parse(tmp_path / "a.svg")


def test_mistakes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="choose one of these endings"):
        draw_alphas([(1, {"1.1": 0.5})], tmp_path / "a")
    for history in ([], [(50, {})]):
        with pytest.raises(SearchError, match="no alphas to draw yet"):
            draw_alphas(history, tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())


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
