from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from unblemish.training.errors import TrainingError
from unblemish.training.perceptual_part import PerceptualPart
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task, train


def test_the_guide_describes_every_key_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    table = guide.partition("## A perceptual loss")[2].partition("| key |")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    stated = {cells[1].strip(" `"): yaml.safe_load(cells[2].strip()) for cells in rows}
    assert stated == {f"perceptual.{name}": value for name, value in PerceptualPart().model_dump().items()}


def test_a_search_takes_none(search: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError, match="search and perceptual do not go together"):
        search(perceptual={})


def test_plain_training_refuses_it(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError, match="has a part 'perceptual': give train"):
        build_task(recipe(perceptual={}))


def test_another_perceptual_loss_is_another_training(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    train(recipe(steps=3), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"another recipe \(perceptual"):
        train(recipe(perceptual={"weight": 1e-5}), tmp_path / "run", resume=True)
