"""`recipes/golf_forgetting.py` on small waves, and its recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image

from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.synthesis import Synthesis

RECIPE = Path(__file__).parents[1] / "recipes/golf_forgetting.yaml"
TINY = [
    "network.options.width=2", "data.patch=16", "optimiser.warmup=1", "validation.every=1", "validation.pictures=1",
    "validation.crop=32", "steps=2", "batch=2", "precision=32-true",
]  # fmt: skip


@pytest.fixture
def run(recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def carry_out(*words: str) -> dict[str, Any]:
        output = tmp_path / "x.json"
        fixed = [f"data.folder={photos}", *TINY, "--runs", str(tmp_path / "runs"), "-o", str(output)]
        recipe_script("golf_forgetting").main([*fixed, *words])
        return json.loads(output.read_text())

    return carry_out


def test_orders_share_phases_and_end_where_they_say(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    content = run("--seeds", "3", "--figure", str(tmp_path / "x.png"))
    assert content["provenance"]["seeds"] == [3]
    curves = {order: seeds["3"] for order, seeds in content["curves"].items()}
    assert {order: [point["step"] for point in points] for order, points in curves.items()} == {
        "task 1, then task 2": [1, 2, 3, 4],
        "task 2 alone": [1, 2],
        "task 2, then task 1": [1, 2, 3, 4],
        "both at once": [1, 2, 3, 4],
    }
    assert curves["task 2, then task 1"][:2] == curves["task 2 alone"]
    for order, points in curves.items():
        found = content["orders"][order]["mean"]
        assert found["after_last"] == {key: points[-1][key] for key in ("sharp", "blurry")}
        second = points[1] if ", then " in order else points[-1]
        assert found["after_first"]["sharp"] == second["sharp"]
        assert found["kept"]["sharp"] == pytest.approx(points[-1]["sharp"] - second["sharp"])
    assert len({points[0]["input"] for points in curves.values()}) == 1
    assert content["budget"]["steps_a_task"] == 2
    with Image.open(tmp_path / "x.png") as figure:
        assert figure.width == 1800


def test_phases_start_from_each_other_and_are_not_repeated(
    run: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("--seeds", "0")
    runs = tmp_path / "runs"
    record = json.loads((runs / "sharp_then_blurry_seed0/run.json").read_text())["recipe"]
    assert record["network"]["start"] == str(runs / "sharp_seed0/final.safetensors")
    assert (record["degradations"]["clean"], record["steps"]) == (0.0, 2)
    both = json.loads((runs / "both_seed0/run.json").read_text())["recipe"]
    assert (both["degradations"]["clean"], both["steps"], both["network"]["start"]) == (0.5, 4, None)
    kept = {path: path.stat().st_mtime_ns for path in runs.glob("*/final.safetensors")}
    assert len(kept) == 5
    again = run("--seeds", "0")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert again["curves"] == first["curves"]
    assert again["training_seconds"] == first["training_seconds"]
    with pytest.raises(TrainingError, match="batch"):
        run("batch=1", "--seeds", "0")


@pytest.mark.parametrize("word", ["seed=3", "degradations.clean=0.5"])
def test_what_phases_set_is_refused(
    run: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str], word: str
) -> None:
    with pytest.raises(SystemExit):
        run(word)
    assert word in capsys.readouterr().err


def test_a_share_of_one_leaves_all_patches_as_they_are() -> None:
    recipe = Recipe.load(RECIPE, ["degradations.clean=1"])
    clean = torch.randint(256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0)) / 255
    assert torch.equal(Synthesis.of(recipe.degradations)(clean, 1), clean)
    with pytest.raises(TrainingError, match=r"degradations\.clean"):
        Recipe.load(RECIPE, ["degradations.clean=1.1"])
