from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from unblemish.evaluation.metrics import create_metric
from unblemish.evaluation.protocol import preset
from unblemish.networks.catalogue import create
from unblemish.networks.loading import save_weights
from unblemish.studies import result as study_result
from unblemish.studies.earlier import EarlierResult
from unblemish.studies.result import StudyResult, Summary
from unblemish.studies.runs import RECORD
from unblemish.studies.scores import ScoredSet, scored_set
from unblemish.studies.study import Study, StudyRun, plan
from unblemish.studies.table import to_markdown
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL
from unblemish.training.recipe import Recipe

SCORES = {"none": {0: 30.0, 1: 31.0}, "more": {0: 30.5, 1: 31.1}, "psnr": {0: 29.0}}
"""PSNR by arm and seed."""


@pytest.fixture
def study(tmp_path: Path, recipe: Callable[..., Recipe]) -> Study:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe().model_dump(mode="json", exclude_none=True)))
    content = {
        "purpose": "a test",
        "recipe": "tiny.yaml",
        "reference": "none",
        "arms": {
            "none": {},
            "more": {"steps": 12},
            "psnr": {"task.loss": "psnr"},
            "charbonnier": {"task.loss": "psnr"},
        },
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return Study.load(tmp_path / "study.yaml")


@pytest.fixture
def pictures(photos: Path) -> ScoredSet:
    damage = Recipe.model_fields["degradations"].annotation
    assert damage is not None
    metrics = [create_metric(name) for name in ("psnr", "ssim")]
    return scored_set(f"mine={photos}", damage(names=("jpeg",)), [preset("rgb")], metrics)


@pytest.fixture
def result(study: Study, pictures: ScoredSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyResult:
    """What is gathered of runs that were never trained."""

    def entry(run: StudyRun, _: ScoredSet) -> dict[str, Any]:
        psnr = SCORES[run.arm][run.seed]
        return {
            "network": {"mine/jpeg/rgb/psnr": psnr, "mine/jpeg/rgb/ssim": psnr / 100},
            "input": {"mine/jpeg/rgb/psnr": 28.0, "mine/jpeg/rgb/ssim": 0.28},
            "pictures": {"rgb/psnr": {"a.png": psnr}},
            "protocols": pictures.told_protocols(),
            "damage": pictures.told_damage(),
            "failures": [],
            "device": "cpu",
        }

    planned = plan(study, tmp_path / "runs")
    for run in planned:
        if run.seed in SCORES.get(run.arm, {}):
            run.folder.mkdir(parents=True)
            save_weights(create("srresnet", {"blocks": 1, "width": 8}), run.folder / FINAL, {})
            record = {
                "recipe": run.recipe.model_dump(mode="json"),
                "files": {},
                "steps": run.recipe.steps,
                "seconds": 3.0 + run.seed,
                "parameters": 7,
                "facts": {"device": "cpu", "devices": 1, "contrast": {"embedding": {"network": f"net{run.seed}"}}},
                "hardware": {"cpu": "a chip", "gpu": None, "threads": 1},
                "curve": [[3, 1.0], [6, 2.0 + run.seed]],
            }
            (run.folder / RECORD).write_text(json.dumps(record))
    monkeypatch.setattr(study_result, "known_scores", entry)
    return StudyResult.gather(study, planned, [pictures])


def test_differences_are_paired_by_seed(result: StudyResult) -> None:
    key = "mine/jpeg/rgb/psnr"
    assert result.arms == ("none", "more", "psnr")
    assert result.scores("none", key) == Summary(30.5, pytest.approx(0.5**0.5), {0: 30.0, 1: 31.0})
    difference = result.differences("more", key)
    assert difference is not None
    assert difference.mean == pytest.approx(0.3)
    assert difference.spread == pytest.approx(0.4 / 2**0.5)
    assert result.differences("psnr", key) == Summary(-1.0, None, {0: -1.0})
    assert result.differences("charbonnier", key) is None
    assert result.input_scores()[key] == 28.0
    assert result.curves()["psnr"] == {0: [(3, 1.0), (6, 2.0)]}
    assert result.missing() == ["charbonnier_seed0", "psnr_seed1", "charbonnier_seed1"]
    assert Summary.of({}) is None


def test_the_result_says_how_each_arm_was_trained(result: StudyResult) -> None:
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    arms = content["arms"]
    assert {name: arm["equal_budget"] for name, arm in arms.items()} == {"none": True, "more": False, "psnr": True}
    assert arms["more"]["budget"] == {"steps": 12, "batch": 2, "data.patch": 32}
    assert arms["psnr"]["recipe"]["task"]["loss"] == "psnr"
    first = arms["none"]["runs"]["1"]
    assert (first["steps"], first["seconds"], first["seconds_a_step"]) == (6, 4.0, pytest.approx(4 / 6, abs=1e-6))
    assert first["facts"]["contrast"] == {"embedding": {"network": "net1"}}
    assert first["scores"]["mine/jpeg/rgb/ssim"] == 0.31
    assert first["pictures"] == {"mine": {"rgb/psnr": {"a.png": 31.0}}}
    assert first["curve"] == [[3, 1.0], [6, 3.0]]
    assert arms["more"]["differences"]["mine/jpeg/rgb/psnr"]["each"] == {"0": 0.5, "1": 0.1}
    assert [line.partition(" on ")[0] for line in content["protocols"]] == ["mine: rgb"]
    assert content["study"]["reference"] == "none"
    assert content["order"] == ["none", "more", "psnr"]


def test_the_tables(result: StudyResult) -> None:
    text = to_markdown(result)
    lines = text.splitlines()
    for line in (
        "| arm | seeds | steps | seconds trained | seconds a step | mine PSNR | mine SSIM |",
        "| input |  |  |  |  | 28.00 | 0.2800 |",
        "| none | 0, 1 | 6 | 3.5 | 0.583 | 30.50 ± 0.71 | 0.3050 ± 0.0071 |",
        r"| more | 0, 1 | 12 \* | 3.5 | 0.292 | 30.80 ± 0.42 | 0.3080 ± 0.0042 |",
        "| psnr | 0 | 6 | 3 | 0.5 | 29.00 | 0.2900 |",
        "Differences to none, paired by seed.",
        r"| more | 0, 1 | 12 \* | 3.5 | +0.300 ± 0.283 | +0.00300 ± 0.00283 |",
        "| psnr | 0 | 6 | 3 | -1.000 | -0.01000 |",
        "- mine: JPEG: drawn from the published ranges, seed 0",
        "- 1 x a chip (1 thread): none_seed0, more_seed0, psnr_seed0, none_seed1, more_seed1",
        "- charbonnier_seed0",
        "- net0: none_seed0, more_seed0, psnr_seed0",
        "- net1: none_seed1, more_seed1",
    ):
        assert line in lines, text
    assert r"\* Of unequal budget: more." in text


def test_differences_name_the_seeds_that_both_have(result: StudyResult) -> None:
    fewer = [one for one in result.runs if (one.run.arm, one.run.seed) != ("none", 1)]
    lines = to_markdown(replace(result, runs=tuple(fewer))).splitlines()
    assert r"| more | 0 | 12 \* | 3.5 | +0.500 | +0.00500 |" in lines


def test_what_was_not_scored_is_said(result: StudyResult, pictures: ScoredSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_result, "known_scores", lambda *_: None)
    empty = StudyResult.gather(result.study, result.planned, [pictures])
    assert "none_seed0 on mine" in empty.unscored()
    assert empty.keys() == []
    text = to_markdown(empty)
    assert "| none | 0, 1 | 6 | 3.5 | 0.583 |" in text
    assert "Not scored yet:" in text
    assert empty.to_dict()["arms"]["none"]["scores"] == {}


@pytest.fixture
def earlier(result: StudyResult, tmp_path: Path) -> Callable[..., EarlierResult]:
    """The result as a file, with changes to what it holds."""

    def write(change: Callable[[dict[str, Any]], object] = lambda _: None) -> EarlierResult:
        content = json.loads(json.dumps({"provenance": {"date": "once"}, **result.to_dict()}))
        change(content)
        (tmp_path / "earlier.json").write_text(json.dumps(content))
        return EarlierResult.load(tmp_path / "earlier.json")

    return write


def test_runs_of_an_earlier_result_count_without_their_folders(
    result: StudyResult, earlier: Callable[..., EarlierResult]
) -> None:
    before = result.to_dict()
    for name in ("none_seed1", "more_seed0", "psnr_seed0"):
        shutil.rmtree(result.planned[0].folder.parent / name)
    alone = StudyResult.gather(result.study, result.planned, result.sets)
    assert {one.run.folder.name for one in alone.runs} == {"none_seed0", "more_seed1"}
    found = earlier().runs(result.planned, result.sets)
    assert StudyResult.gather(result.study, result.planned, result.sets, found).to_dict() == before

    fewer = [run for run in result.planned if run.arm != "psnr"]
    assert {one.run.arm for one in earlier().runs(fewer, result.sets)} == {"none", "more"}
    unscored = StudyResult.gather(result.study, result.planned, [], earlier().runs(result.planned, []))
    assert unscored.keys() == []


def test_the_folder_of_runs_comes_before_an_earlier_result(
    result: StudyResult, earlier: Callable[..., EarlierResult]
) -> None:
    told = earlier(lambda content: content["arms"]["none"]["runs"]["0"].update(seconds=99.0))
    found = told.runs(result.planned, result.sets)
    gathered = StudyResult.gather(result.study, result.planned, result.sets, found)
    assert gathered.of("none")[0].record["seconds"] == 3.0


def test_earlier_results_tell_what_they_were_made_of(earlier: Callable[..., EarlierResult]) -> None:
    assert earlier().origins() == [{"date": "once"}]
    nested = earlier(lambda content: content.update(earlier=[{"date": "first"}]))
    assert nested.origins() == [{"date": "first"}, {"date": "once"}]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c["arms"]["psnr"]["recipe"].update(steps=7), r"arm psnr was trained with another recipe \(steps"),
        (lambda c: c["arms"]["none"]["runs"]["1"]["files"].update({"data.folder": "0"}), r"none_seed1 .*data\.folder"),
        (lambda c: c.update(damage=["mine: JPEG: strong"]), "other damage .JPEG: strong"),
        (lambda c: c.update(protocols=["mine: rgb on others (3)"]), "other pictures or protocols"),
        (lambda c: c["arms"]["more"]["runs"]["0"]["scores"].popitem(), "other metrics"),
    ],
)
def test_an_earlier_result_of_something_else_is_refused(
    result: StudyResult, earlier: Callable[..., EarlierResult], change: Callable[..., object], complaint: str
) -> None:
    told = earlier(change)
    with pytest.raises(TrainingError, match=rf"earlier\.json: .*{complaint}"):
        told.runs(result.planned, result.sets)


def test_runs_scored_on_other_pictures_of_one_name_are_refused(
    result: StudyResult, earlier: Callable[..., EarlierResult]
) -> None:
    told = earlier(lambda content: content["input"].update({"mine/jpeg/rgb/psnr": 27.0}))
    shutil.rmtree(result.of("more")[0].run.folder)
    found = told.runs(result.planned, result.sets)
    with pytest.raises(TrainingError, match=r"none_seed0 and more_seed0 were scored on different pictures"):
        StudyResult.gather(result.study, result.planned, result.sets, found)


@pytest.mark.parametrize(("content", "complaint"), [(None, "cannot read"), ("{", "no result"), ("[]", "no result")])
def test_a_file_that_is_no_earlier_result(tmp_path: Path, content: str | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "earlier.json").write_text(content)
    with pytest.raises(TrainingError, match=rf"earlier\.json: .*{complaint}"):
        EarlierResult.load(tmp_path / "earlier.json")
