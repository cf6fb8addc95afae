from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_described, save_weights
from unblemish.restoration.methods import build_task as build_with_methods
from unblemish.studies.runs import RECORD, carry_out, finished, rehearse
from unblemish.studies.study import StudyRun
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL, LAST
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task


@pytest.fixture
def run(tmp_path: Path, recipe: Callable[..., Recipe]) -> StudyRun:
    return StudyRun("plain", 0, recipe(steps=4, degradations__names=["jpeg"]), tmp_path / "plain_seed0")


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("nothing is left to train")


def changed(run: StudyRun, recipe: Callable[..., Recipe], **overrides: Any) -> StudyRun:
    return replace(run, recipe=recipe(steps=4, degradations__names=["jpeg"], **overrides))


def test_a_run_is_stopped_resumed_recorded_and_not_repeated(
    run: StudyRun, recipe: Callable[..., Recipe], recorder: Callable[..., Any], photos: Path, tmp_path: Path
) -> None:
    stop = recorder({2: lambda: signal.raise_signal(signal.SIGINT)})
    assert not carry_out(run, build_task, accelerator="cpu", callbacks=[stop])
    assert finished(run) is None
    with pytest.raises(TrainingError, match=r"plain_seed0: was trained with another recipe \(batch, task.loss differ"):
        carry_out(changed(run, recipe, batch=3, task__loss="psnr"), build_task)

    rest = recorder()
    assert carry_out(run, build_task, accelerator="cpu", callbacks=[rest], command=["a", "test"])
    assert rest.started == 2
    record = finished(run)
    assert record is not None
    assert record["steps"] == 4
    assert record["seconds"] > 0
    assert record["parameters"] == record["facts"]["parameters"] == rest.facts["parameters"]
    assert record["curve"] == [[step, scores["gain"]] for step, (scores, _) in sorted(rest.validations.items())]
    assert record["validations"]["gain"] == record["curve"]
    assert {*record["validations"]} == {*run.recipe.degradations.names, "clean", "gain"}
    assert "cpu" in record["hardware"]
    assert carry_out(run, never)

    # Other places of the same pictures, and what does not matter, leave it the same run; other pictures do not.
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    same = changed(run, recipe, data__folder=str(moved), save_every=7, data__memory=1.0)
    assert carry_out(same, never)
    (moved / "picture0.png").unlink()
    with pytest.raises(TrainingError, match=r"data.folder differ"):
        finished(same)
    with pytest.raises(TrainingError, match=r"validation.folder differ"):
        finished(changed(run, recipe, validation__folder=str(photos)))
    assert finished(changed(run, recipe, data__folder=str(tmp_path / "not on this machine")))

    # What a kill between the last checkpoint and the weights leaves is put right.
    weights = load_file(run.folder / FINAL)
    (run.folder / FINAL).unlink()
    (run.folder / RECORD).write_text(json.dumps({key: record[key] for key in ("recipe", "files")}))
    assert carry_out(run, never)
    assert finished(run) == record
    torch.testing.assert_close(load_file(run.folder / FINAL), weights)
    assert load_described(run.folder / FINAL).parameter_count == record["parameters"]


def test_weights_of_negatives_count_wherever_they_are(
    run: StudyRun, recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    one, moved, other = (tmp_path / name for name in ("a.safetensors", "other/a.safetensors", "b.safetensors"))
    for path, fill in ((one, 0.0), (moved, 0.0), (other, 0.1)):
        network = create(run.recipe.network.name, run.recipe.network.options)
        for weights in network.parameters():
            torch.nn.init.constant_(weights, fill)
        save_weights(network, path, {})

    def against(path: Path) -> StudyRun:
        part = {"method": "spn", "embedding": "descriptor", "negatives": "pretrained", "pretrained": str(path)}
        return changed(run, recipe, contrast=part)

    assert carry_out(against(one), build_with_methods, accelerator="cpu")
    assert finished(against(moved))
    with pytest.raises(TrainingError, match=r"another recipe \(contrast.pretrained differ"):
        finished(against(other))


def test_a_training_begun_by_other_means_counts_by_its_checkpoint(
    run: StudyRun, recipe: Callable[..., Recipe], recorder: Callable[..., Any]
) -> None:
    stop = recorder({1: lambda: signal.raise_signal(signal.SIGINT)})
    carry_out(run, build_task, accelerator="cpu", callbacks=[stop])
    (run.folder / RECORD).unlink()
    assert finished(run) is None
    with pytest.raises(TrainingError, match="ema differ"):
        finished(changed(run, recipe, ema=0.5))


def test_what_failed_before_its_first_checkpoint_binds_nothing(run: StudyRun, recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError):
        carry_out(changed(run, recipe, validation__crop=512), build_task, accelerator="cpu")
    assert (run.folder / RECORD).exists()
    assert not (run.folder / LAST).exists()
    assert finished(run) is None


def test_a_rehearsal_looks_for_the_pairs(run: StudyRun, recipe: Callable[..., Recipe]) -> None:
    paired = recipe(data__pairs=["blur", "sharp"], degradations={}, steps=4)
    with pytest.raises(TrainingError, match=r"arm plain: .* holds no folders blur and sharp side by side"):
        rehearse(replace(run, recipe=paired), build_task)
