from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.search_part import DECIDING, FOLLOWING, SearchPart


def test_the_guide_describes_every_key_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
    rows = [line.split("|") for line in guide.splitlines() if line.startswith("| `search.")]
    stated = {cells[1].strip(" `"): yaml.safe_load(cells[2].strip()) for cells in rows}
    assert stated == {f"search.{key}": value for key, value in SearchPart().model_dump(mode="json").items()}


def test_every_key_decides_or_follows() -> None:
    assert {*DECIDING, *FOLLOWING} == {f"search.{key}" for key in SearchPart.model_fields}
    assert not {*DECIDING} & {*FOLLOWING}


def test_a_key_that_is_not_known_is_named(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError, match=r"search\.lambda_1: Extra inputs are not permitted"):
        recipe(network__name="multiscale_supernet", network__options={}, search={"lambda_1": 0.1})
    with pytest.raises(TrainingError, match=r"search\.baselines\.seeds"):
        recipe(network__name="multiscale_supernet", network__options={}, search={"baselines": {"seeds": []}})
