"""`recipes/lira_sizes.py` with tiny networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from unblemish.errors import UserError
from unblemish.networks.catalogue import create
from unblemish.networks.loading import save_weights

TINY = {"blocks": 1, "width": 4}


@pytest.fixture
def weights(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{seed}.safetensors" for seed in (0, 1)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        save_weights(create("srresnet", TINY), path, {"network": "srresnet", "options": json.dumps(TINY)})
    return [str(path) for path in paths]


@pytest.fixture
def measured(
    recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path, weights: list[str]
) -> Callable[..., dict[str, Any]]:
    """Two photographs of 80 x 72 pixels, by two seeds of one network and one of another."""

    def run(*words: str) -> dict[str, Any]:
        output = tmp_path / "x.json"
        methods = ["--method", f"A={weights[0]}", "--method", f"B={weights[0]}", "--method", f"A={weights[1]}"]
        recipe_script("lira_sizes").main([f"waves={photos}", "--limit", "2", *methods, "-o", str(output), *words])
        return json.loads(output.read_text())

    return run


def test_scores_by_size_and_weights(measured: Callable[..., dict[str, Any]]) -> None:
    content = measured("--side", "32", "64", "128")
    sides = content["sets"]["waves"]
    assert [sides[side]["patches"] for side in ("32", "64", "128")] == [8, 2, 0]
    assert sides["32"]["left_out"] == []
    assert sides["128"]["left_out"] == ["picture0.png", "picture1.png"]
    ours, other = (sides["32"]["scores"][name]["psnr"] for name in ("A", "B"))
    assert ours["each"]["0"] == other["each"]["0"] == other["mean"]
    assert ours["mean"] == pytest.approx((ours["each"]["0"] + ours["each"]["1"]) / 2)
    assert ours["spread"] > 0
    assert other["spread"] is None
    assert 5 < sides["64"]["input"]["psnr"] < 60
    assert content["order"] == {"sets": ["waves"], "sides": [32, 64, 128], "methods": ["A", "B"]}
    assert content["methods"]["A"]["parameters"] == create("srresnet", TINY).parameter_count
    assert len(content["methods"]["A"]["weights"]) == 2
    assert content["protocol"].startswith("rgb on waves ")


def test_scores_are_those_of_whole_photographs_cut(measured: Callable[..., dict[str, Any]]) -> None:
    """The damage of a patch does not depend on its size, or on what else is scored."""
    assert measured("--side", "64")["sets"]["waves"]["64"] == measured("--side", "32", "64")["sets"]["waves"]["64"]


def test_methods_of_an_earlier_result_come_first(
    measured: Callable[..., dict[str, Any]],
    recipe_script: Callable[[str], ModuleType],
    photos: Path,
    tmp_path: Path,
    weights: list[str],
) -> None:
    before = measured("--side", "32", "64")
    words = [f"waves={photos}", "--limit", "2", "--side", "32", "-o", str(tmp_path / "y.json")]
    words += ["--earlier", str(tmp_path / "x.json")]
    recipe_script("lira_sizes").main([*words, "--method", f"C={weights[1]}"])
    after = json.loads((tmp_path / "y.json").read_text())
    assert after["order"] == {"sets": ["waves"], "sides": [32], "methods": ["A", "B", "C"]}
    assert after["earlier"] == [before["provenance"]]
    assert list(after["methods"]) == ["A", "B", "C"]
    told, found = (one["sets"]["waves"]["32"]["scores"] for one in (before, after))
    assert {name: found[name] for name in "AB"} == told
    assert found["C"]["psnr"]["each"]["0"] == told["A"]["psnr"]["each"]["1"]

    for change, complaint in (
        (["--method", f"A={weights[1]}"], "lacks nothing, tells of A, too"),
        (["--method", f"C={weights[1]}", "--side", "16"], "lacks waves at 16, tells of nothing"),
        (["--method", f"C={weights[1]}", "--protocol", "y_crop4"], "protocol of the earlier result is another"),
        (["--method", f"C={weights[1]}", "--seed", "7"], "other patches of waves at 32"),
    ):
        with pytest.raises(UserError, match=complaint):
            recipe_script("lira_sizes").main([*words, *change])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["waves"], "not of the form NAME=PATH"),
        (["waves=b"], "several sets are called waves"),
        (["b=c", "--method", "input=d"], "stands for damaged pictures"),
    ],
)
def test_words_that_cannot_be_meant(
    recipe_script: Callable[[str], ModuleType], tmp_path: Path, words: list[str], complaint: str
) -> None:
    fixed = ["waves=a", "--method", "A=x.safetensors", "-o", str(tmp_path / "x.json")]
    with pytest.raises(UserError, match=complaint):
        recipe_script("lira_sizes").main([*words, *fixed] if words == ["waves"] else [fixed[0], *words, *fixed[1:]])
