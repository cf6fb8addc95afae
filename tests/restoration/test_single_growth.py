"""One growth by one call: what it makes of its arguments. That it grows is tested with the command and the example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unblemish.errors import UserError
from unblemish.restoration import single_growth
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.growth_recipe import REPLAY_STEPS, STEPS, TOLERANCE, WARMUP
from unblemish.restoration.single_growth import grow


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would be carried out: plan, bundle, output, folder of runs, listener."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(single_growth, "carry_out", lambda *call: calls.append(call))
    return calls


def test_little_need_be_said(asked: list[tuple[Any, ...]], growable: Path, many_photos: Path, tmp_path: Path) -> None:
    grow(str(growable), "haze", str(tmp_path / "grown.bundle"), data=str(many_photos))
    ((plan, bundle, out, runs, _),) = asked
    assert plan.damage.names == ("haze",)
    assert (plan.recipe.steps, plan.warmup) == (STEPS, WARMUP)
    assert (plan.replay_steps, plan.tolerance) == (REPLAY_STEPS, TOLERANCE)
    assert plan.licence.startswith("unknown")
    assert bundle.path == growable
    assert (out, runs) == (tmp_path / "grown.bundle", tmp_path / "grown.bundle.runs")
    assert (runs / "recipe.yaml").exists()


def test_all_that_is_said_counts(
    asked: list[tuple[Any, ...]], growable: Path, many_photos: Path, tmp_path: Path
) -> None:
    written = tmp_path / "grown.bundle.runs/recipe.yaml"
    grow(growable, "haze", tmp_path / "grown.bundle", data=many_photos, steps=200)
    more = {"recipe": written, "overrides": ["batch=2"], "warmup": 90, "replay_steps": 7, "tolerance": 0.5}
    options = {"licence": "MIT", "accelerator": "cpu", "runs": tmp_path / "other"}
    grow(Bundle.load(growable), ["haze", "rain"], tmp_path / "b.bundle", data=many_photos, **more, **options)
    plan, _, _, runs, _ = asked[-1]
    assert plan.damage.names == ("haze", "rain")
    assert (plan.recipe.steps, plan.recipe.batch, plan.warmup, plan.replay_steps, plan.tolerance) == (
        200,
        2,
        90,
        7,
        0.5,
    )
    assert (plan.licence, plan.accelerator, runs) == ("MIT", "cpu", tmp_path / "other")
    assert not (runs / "recipe.yaml").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give either --data with clean photographs, or --pairs"),
        ({"data": "photos", "pairs": ("a", "b")}, "give either --data"),
        ({"pairs": ("a", "b")}, "a: no such folder"),
        ({"data": ".", "steps": 0}, "steps"),
    ],
)
def test_arguments_that_cannot_be(
    growable: Path,
    many_photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.chdir(many_photos)
    with pytest.raises(UserError, match=said):
        grow(growable, "haze", tmp_path / "grown.bundle", **options)
