"""`recipes/golf_toy.py` on few samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from unblemish.evaluation.errors import EvaluationError


def test_numbers_and_figure(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    words = ["-o", str(tmp_path / "x.json"), "--figure", str(tmp_path / "x.png"), "--seeds", "2", "--samples", "400"]
    recipe_script("golf_toy").main(words)
    content = json.loads((tmp_path / "x.json").read_text())
    assert [run["seed"] for run in content["runs"]] == content["provenance"]["seeds"] == [0, 1]
    assert content["settings"]["samples"] == 400
    priors = content["summary"]["priors"]
    assert set(priors) == {
        "none", "plane", "softmax", "logit", "logit_difference", "learned", "learned_square", "analytic",
    }  # fmt: skip
    each = [run["priors"]["learned"]["total"] for run in content["runs"]]
    assert priors["learned"]["total"] == {
        "median": pytest.approx(sum(each) / 2), "lowest": min(each), "highest": max(each),
    }  # fmt: skip
    assert priors["analytic"]["total"]["highest"] < 1e-9 < priors["none"]["total"]["lowest"]
    for run in content["runs"]:
        assert all(score["pixel"] == pytest.approx(score["total"] / 2) for score in run["priors"].values())
        assert set(run["surfaces"]) == {"learned", "learned_square"}
    with Image.open(tmp_path / "x.png") as figure:
        assert figure.width == 1900


@pytest.mark.parametrize("words", [["--samples", "6"], ["--seeds", "0"]])
def test_what_cannot_be_trained_is_refused(
    recipe_script: Callable[[str], ModuleType], tmp_path: Path, words: list[str]
) -> None:
    with pytest.raises(SystemExit):
        recipe_script("golf_toy").main(["-o", str(tmp_path / "x.json"), *words])


def test_another_ending_is_refused_before_training(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"\.png"):
        recipe_script("golf_toy").main(["-o", str(tmp_path / "x.json"), "--figure", "x.pdf"])
    assert not (tmp_path / "x.json").exists()
