from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.contrast.task import ContrastTask
from unblemish.networks.loading import load_described
from unblemish.restoration.methods import build_task
from unblemish.training.callbacks import Callback
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL, LAST
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task as build_plain
from unblemish.training.run import train
from unblemish.training.task import RestorationTask

SPN = {"method": "spn", "embedding": "descriptor", "steps": [2, 3], "weight": 0.01}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for number in range(4):
        tiles = draw.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(tiles.repeat(8, 0).repeat(8, 1)).save(folder / f"{number}.png")
    return folder


class StopAfter(Callback):
    """Asks for the end of the training as a user does."""

    def __init__(self, step: int) -> None:
        self.last = step

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        if step == self.last:
            signal.raise_signal(signal.SIGTERM)


def recipe(photos: Path, steps: int = 4, **changes: object) -> Recipe:
    content: dict[str, object] = {
        "purpose": "test",
        "network": {"name": "srresnet", "options": {"blocks": 1, "width": 4}},
        "data": {"folder": str(photos), "patch": 16},
        "degradations": {"names": ["gaussian_noise"]},
        "optimiser": {"rate": 1e-3},
        "validation": {"pictures": 1, "crop": 32, "every": 2},
        "steps": steps,
        "batch": 2,
        "precision": "32-true",
    }
    return Recipe.parse(content | changes, "recipe")


def test_a_recipe_without_methods_is_plain_restoration(photos: Path) -> None:
    assert type(build_task(recipe(photos))) is RestorationTask


def test_a_method_without_its_builder_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"build=restoration.methods.build_task"):
        train(recipe(photos, contrast=SPN), tmp_path / "run")
    with pytest.raises(TrainingError, match="'contrast'"):
        build_plain(recipe(photos, contrast=SPN))


def test_contrast_is_switched_on_by_its_part(photos: Path, tmp_path: Path) -> None:
    task = build_task(recipe(photos, contrast=SPN))
    assert isinstance(task, ContrastTask)
    train(recipe(photos, contrast=SPN), tmp_path / "run", build=build_task)
    journal = (tmp_path / "run/journal.jsonl").read_text()
    assert '"contrast": {"embedding": {"network": "descriptor"' in journal
    assert '"negative": ' in journal
    assert load_described(tmp_path / "run" / FINAL).parameter_count == task.network.parameter_count


@pytest.mark.parametrize(
    "part",
    [
        SPN,
        SPN | {"adaptive": 1e-6},
        SPN | {"negatives_dtype": "bfloat16"},
        {"method": "pcl", "embedding": "descriptor"},
    ],
)
def test_resumed_training_is_the_same_bit_for_bit(photos: Path, tmp_path: Path, part: dict[str, object]) -> None:
    """2N steps equal N, a resumption and N: the negatives come back as they were."""
    whole = recipe(photos, steps=6, contrast=part, save_every=3)
    train(whole, tmp_path / "whole", build=build_task)
    train(whole, tmp_path / "halves", build=build_task, callbacks=[StopAfter(3)])
    train(whole, tmp_path / "halves", build=build_task, resume=True)
    one, other = (Checkpoint.load(tmp_path / name / LAST) for name in ("whole", "halves"))
    assert one.step == other.step == 6
    assert one.task.keys() == other.task.keys()
    assert all(torch.equal(one.task[key], other.task[key]) for key in one.task)
    assert any(key.startswith("contrast.negatives") for key in one.task) == (part["method"] == "spn")


def test_another_contrast_is_another_training(photos: Path, tmp_path: Path) -> None:
    train(recipe(photos, steps=2), tmp_path / "run", build=build_task)
    with pytest.raises(TrainingError, match=r"another recipe \(contrast"):
        train(recipe(photos, contrast=SPN), tmp_path / "run", build=build_task, resume=True)
