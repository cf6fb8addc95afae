"""Real pictures of old tasks, which joint learning and EWC look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from unblemish.lifelong.building import old_batches
from unblemish.lifelong.growing import shared_parameters
from unblemish.networks.lira import Lira
from unblemish.restoration.methods import build_task
from unblemish.training.division import split_pictures
from unblemish.training.errors import TrainingError
from unblemish.training.fit import save_described
from unblemish.training.lifelong_part import GrowPart
from unblemish.training.loading import path_of
from unblemish.training.losses import Loss
from unblemish.training.recipe import Recipe
from unblemish.training.task import Batch

Make = Callable[..., Recipe]
CPU = torch.device("cpu")


@pytest.fixture
def grays(tmp_path: Path) -> Path:
    """Six pictures of one gray each: number n of 40 n."""
    folder = tmp_path / "machine" / "new"
    folder.mkdir(parents=True)
    for number in range(6):
        Image.fromarray(np.full((64, 64, 3), 40 * number, np.uint8)).save(folder / f"{number}.png")
    return folder


def made(make: Make, folder: Path, **more: Any) -> tuple[Recipe, GrowPart]:
    part = GrowPart(stage="grow", strategy="joint", old=Path("old"), **{"watch": ("jpeg",), **more})
    lifelong = part.model_dump(mode="json")
    return make(options={"grown": 1}, data__folder=str(folder), lifelong=lifelong, batch=8), part


def seen(recipe: Recipe, part: GrowPart) -> set[int]:
    """Numbers of the pictures of 20 batches."""
    draw = old_batches(recipe, part)
    clean = [draw(0, step, CPU).clean[:, 0, 0, 0] for step in range(20)]
    return {round(float(value) * 255 / 40) for value in torch.cat(clean)}


@pytest.mark.parametrize("level", [None, "new", "machine"])
def test_held_out_pictures_are_not_among_them(lira_recipe: Make, grays: Path, level: str | None) -> None:
    old = {None: None, "new": grays, "machine": grays.parent}[level]
    recipe, part = made(lira_recipe, grays, old_folder=old)
    held_out = {int(path_of(source).stem) for source in split_pictures(recipe)[1]}
    found = seen(recipe, part)
    assert len(held_out) == 2
    assert found
    assert not found & held_out


def test_a_folder_of_held_out_pictures_alone(lira_recipe: Make, grays: Path) -> None:
    recipe, _ = made(lira_recipe, grays)
    held_out = [path_of(source) for source in split_pictures(recipe)[1]]
    old = grays.parent / "old"
    old.mkdir()
    for number, path in enumerate(held_out * 2):
        (old / f"{number}.png").symlink_to(path)
    recipe, part = made(lira_recipe, grays, old_folder=old)
    with pytest.raises(TrainingError, match="no pictures are left to train on, for all are validated on"):
        old_batches(recipe, part)


def test_each_device_sees_its_own(lira_recipe: Make, grays: Path) -> None:
    recipe, part = made(lira_recipe, grays)
    first, again, second = (old_batches(recipe, part, rank)(0, 1, CPU).degraded for rank in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_importance_is_measured_on_all_old_tasks_alike(
    tiny: Callable[..., Lira], lira_recipe: Make, grays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, tasks = tmp_path / "old.safetensors", []
    save_described(tiny(grown=1), old, lira_recipe(options={"grown": 1}), 0)

    def importance(network: Lira, batches: Iterable[tuple[int, Batch]], loss: Loss) -> list[Tensor]:
        tasks.extend(task for task, _ in batches)
        return [torch.ones_like(value) for value in shared_parameters(network)]

    monkeypatch.setattr("unblemish.lifelong.building.fisher_information", importance)
    part = {"stage": "grow", "strategy": "ewc", "old": str(old), "watch": ["jpeg", "haze"], "importance_patches": 6}
    build_task(lira_recipe(options={"grown": 2}, data__folder=str(grays), lifelong=part, batch=2))
    assert tasks == [0, 1, 0, 1]
