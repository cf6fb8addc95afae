from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from unblemish.contrast.task import ContrastTask
from unblemish.networks.loading import load_described
from unblemish.networks.vgg import Vgg, load_vgg
from unblemish.restoration.methods import build_task
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL, LAST
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task as build_plain
from unblemish.training.run import train
from unblemish.training.task import RestorationTask

SPN = {"method": "spn", "embedding": "descriptor", "steps": [2, 3], "weight": 0.01}


Make = Callable[..., Recipe]


def test_a_recipe_without_methods_is_plain_restoration(recipe: Make) -> None:
    assert type(build_task(recipe())) is RestorationTask


def test_a_method_without_its_builder_is_refused(recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"build=restoration.methods.build_task"):
        train(recipe(contrast=SPN), tmp_path / "run")
    with pytest.raises(TrainingError, match="'contrast'"):
        build_plain(recipe(contrast=SPN))


def test_contrast_is_switched_on_by_its_part(recipe: Make, tmp_path: Path) -> None:
    task = build_task(recipe(contrast=SPN))
    assert isinstance(task, ContrastTask)
    train(recipe(contrast=SPN), tmp_path / "run", build=build_task)
    journal = (tmp_path / "run/journal.jsonl").read_text()
    assert '"contrast": {"embedding": {"network": "descriptor"' in journal
    assert '"negative": ' in journal
    assert load_described(tmp_path / "run" / FINAL).parameter_count == task.network.parameter_count


def test_a_perceptual_loss_leaves_nothing_of_its_network_behind(
    recipe: Make, recorder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The VGG is in no checkpoint, but its digest; 2N steps equal N, a resumption and N."""
    path = tmp_path / "vgg.safetensors"
    save_file(Vgg("vgg16", ["pool1"]).state_dict(), path)
    monkeypatch.setenv("UNBLEMISH_VGG16", str(path))
    part = {"embedding": "vgg16", "layers": ["pool1"], "layer_weights": [1.0], "weight": 1e-3}
    whole = recipe(perceptual=part, task__loss="golf_content")
    train(whole, tmp_path / "whole", build=build_task)
    stop = recorder({3: lambda: signal.raise_signal(signal.SIGTERM)})
    train(whole, tmp_path / "halves", build=build_task, callbacks=[stop])
    train(whole, tmp_path / "halves", build=build_task, resume=True)
    one, other = (Checkpoint.load(tmp_path / name / LAST) for name in ("whole", "halves"))
    assert one.task.keys() == build_task(recipe()).state_dict().keys()
    assert all(torch.equal(one.task[key], other.task[key]) for key in one.task)
    assert one.facts["perceptual"]["embedding"]["weights"] == load_vgg("vgg16", ["pool1"], path).digest
    terms = stop.steps[1][0]
    assert terms["loss"] == pytest.approx(terms["content"] + terms["perceptual"])
    assert terms["perceptual"] > 0


@pytest.mark.parametrize(
    "part",
    [
        SPN,
        SPN | {"adaptive": 1e-6},
        SPN | {"negatives_dtype": "bfloat16"},
        {"method": "pcl", "embedding": "descriptor"},
    ],
)
def test_resumed_training_is_the_same_bit_for_bit(
    recipe: Make, recorder: Any, tmp_path: Path, part: dict[str, object]
) -> None:
    """2N steps equal N, a resumption and N: the negatives come back as they were."""
    whole = recipe(contrast=part)
    train(whole, tmp_path / "whole", build=build_task)
    train(
        whole,
        tmp_path / "halves",
        build=build_task,
        callbacks=[recorder({3: lambda: signal.raise_signal(signal.SIGTERM)})],
    )
    train(whole, tmp_path / "halves", build=build_task, resume=True)
    one, other = (Checkpoint.load(tmp_path / name / LAST) for name in ("whole", "halves"))
    assert one.step == other.step == 6
    assert one.task.keys() == other.task.keys()
    assert all(torch.equal(one.task[key], other.task[key]) for key in one.task)
    assert any(key.startswith("contrast.negatives") for key in one.task) == (part["method"] == "spn")


def test_another_contrast_is_another_training(recipe: Make, tmp_path: Path) -> None:
    train(recipe(steps=3), tmp_path / "run", build=build_task)
    with pytest.raises(TrainingError, match=r"another recipe \(contrast"):
        train(recipe(contrast=SPN), tmp_path / "run", build=build_task, resume=True)


def test_a_resumption_with_other_features_is_refused(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the recipe leaves it open, what features there are depends on what is found."""
    monkeypatch.delenv("UNBLEMISH_VGG16", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    train(recipe(contrast=SPN | {"embedding": "auto"}, steps=3), tmp_path / "run", build=build_task)
    path = tmp_path / "vgg.safetensors"
    save_file(Vgg("vgg16", ["relu3_3"]).state_dict(), path)
    monkeypatch.setenv("UNBLEMISH_VGG16", str(path))
    with pytest.raises(TrainingError, match=r"'descriptor'.* and would now go on with .*'vgg16'.* same files"):
        train(recipe(contrast=SPN | {"embedding": "auto"}, steps=6), tmp_path / "run", build=build_task, resume=True)
