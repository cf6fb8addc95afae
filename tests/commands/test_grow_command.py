from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from unblemish.examination import classifier
from unblemish.restoration import group_training
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.restorer import Restorer

TINY = (
    *("data.patch=32", "data.scales=[1.0]", "batch=2", "validation.crop=48", "validation.pictures=2"),
    *("precision=32-true", "lifelong.ratio=0", "--accelerator", "cpu"),
    *("--steps", "3", "--warmup", "2", "--replay-steps", "2"),
)
WORDS = ("grow", "old.bundle", "--out", "grown.bundle")

Call = Callable[..., Any]


@pytest.fixture(autouse=True, scope="module")
def quick(one_thread: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 20)
        yield


@pytest.fixture
def call(run: Call, growable: Path, many_photos: Path, tmp_path: Path) -> Call:
    """Runs `unblemish` in a folder with a bundle that can grow, photographs, and pairs."""
    shutil.copy(growable, tmp_path / "old.bundle")
    for name in ("photos", "set/degraded", "set/clean"):
        shutil.copytree(many_photos, tmp_path / name)
    return run


def test_a_bundle_grows(call: Call, tmp_path: Path) -> None:
    words = (*WORDS, "--degradation", "haze", "--degradation", "rain", "--data", "photos", *TINY)
    ran = call(*words, "--licence", "CC-BY-4.0")
    assert ran.status == 0, ran.err
    for line in ("warm-up of haze + rain: 2 steps", "joint training of haze + rain: 3 steps", "calibration on 12"):
        assert line in ran.err
    assert "group haze: mean gain" in ran.out
    assert "What it knew, on replayed pictures (at most 0.1 dB may be lost):\n  mix" in ran.out
    assert "dB after (+0.000)" in ran.out
    assert "group right" in ran.out
    assert ran.out.endswith("  unblemish restore photo.jpg --bundle grown.bundle\n")
    grown = Bundle.load(tmp_path / "grown.bundle")
    assert [group.name for group in grown.groups] == ["mix", "noise", "haze"]
    assert grown.entry("haze").licence.endswith("CC-BY-4.0")
    assert Restorer(grown, device="cpu", group="haze")
    assert (tmp_path / "grown.bundle.runs/recipe.yaml").exists()
    again = call(*words, "--licence", "CC-BY-4.0")
    assert (again.status, again.out) == (0, ran.out)
    assert "calibration: read from grown.bundle.runs/calibration" in again.err
    own = ("--recipe", "grown.bundle.runs/recipe.yaml", "--runs", "grown.bundle.runs")
    assert call(*words, *own, "--licence", "CC-BY-4.0").out == ran.out


def test_a_stopped_growth_says_so(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*arguments: object, **options: object) -> None:
        raise group_training.BuildStoppedError("stopped in the warm-up of moire")

    monkeypatch.setattr("unblemish.restoration.growing.train_through", stopped)
    ran = call(*WORDS, "--degradation", "moire", "--pairs", "set/degraded/", "set/clean/", *TINY)
    assert ran.status == 130
    assert "warm-up of moire: 2 steps, in grown.bundle.runs/warm-up-" in ran.err
    assert ran.err.endswith("stopped in the warm-up of moire\n")
    assert not (tmp_path / "grown.bundle").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give either --data with clean photographs, or --pairs"),
        (("--data", "photos", "--pairs", "set/degraded", "set/clean"), "give either --data"),
        (("--data", "photos", "--everywhere"), "only of --pairs has to be said whether"),
        (("--pairs", "photos", "set/clean"), "photos and set/clean do not lie side by side"),
        (("--data", "nowhere"), "nowhere: no such folder"),
        (("--data", "photos", "--out", "old.bundle"), "old.bundle is the bundle that grows, which is never changed"),
        (("--data", "photos", "--degradation", "gaussian_noise"), "knows gaussian_noise already"),
        (("--data", "photos", "--recipe", "none.yaml"), "none.yaml: cannot read the recipe"),
        (("--data", "photos", "data.folder=old"), "'data.folder=old': data.folder follows from the bundle"),
        (("--data", "photos", "validation.crop=99", "--tolerance", "-1"), "--tolerance"),
    ],
)
def test_mistakes_are_explained(call: Call, words: tuple[str, ...], said: str) -> None:
    ran = call(*WORDS, "--degradation", "haze", *words, *TINY)
    assert ran.status in (1, 2)
    assert said in ran.err


@pytest.mark.parametrize("words", [("gaussian_noise", "--data", "photos"), ("haze", "--data", "nothing")])
def test_what_is_refused_at_once_leaves_nothing(call: Call, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    before = sorted(tmp_path.iterdir())
    assert call(*WORDS, "--degradation", *words, *TINY).status == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_bundle_that_cannot_grow(call: Call, bundle: Path) -> None:
    ran = call("grow", bundle, "--out", "grown.bundle", "--degradation", "haze", "--data", "photos")
    assert ran.status == 1
    assert "has no network that can grow (lira, lira_compact, lira_naf): train a network that can grow" in ran.err
