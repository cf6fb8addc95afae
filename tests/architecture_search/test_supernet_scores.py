from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unblemish.architecture_search.supernet_scores import kept_scores, supernet_scores
from unblemish.networks.catalogue import create
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.division import load_data
from unblemish.training.recipe import Recipe

CPU = torch.device("cpu")
OPTIONS = {"columns": "1/1", "width": 2, "residual": True}


@pytest.fixture
def searching(recipe: Callable[..., Recipe]) -> Recipe:
    return recipe(network={"name": "multiscale_supernet", "options": OPTIONS}, search={})


@pytest.fixture
def supernet() -> MultiScaleSupernet:
    torch.manual_seed(0)
    made = create("multiscale_supernet", OPTIONS)
    assert isinstance(made, MultiScaleSupernet)
    with torch.no_grad():  # weights that do something, as after a training
        for module in made.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.1)
    return made.eval()


def test_scores_are_those_of_the_derived_networks(supernet: MultiScaleSupernet, searching: Recipe) -> None:
    before = {key: value.clone() for key, value in supernet.state_dict().items()}
    space = ["P/P", "P/F", "F/P", "F/F"]
    found = supernet_scores(supernet, space, searching, CPU)
    assert list(found) == space
    assert len(set(found.values())) == 4
    assert supernet_scores(supernet, ["F/P"], searching, CPU) == {"F/P": found["F/P"]}
    assert all(torch.equal(value, before[key]) for key, value in supernet.state_dict().items())
    plain = supernet_scores(supernet, ["F/P"], searching, CPU, recalibrated=False)
    _, validation = load_data(searching)
    with torch.no_grad():
        assert plain["F/P"] == validation.score(supernet.derive("F/P"), CPU)["gain"]
    assert plain["F/P"] != found["F/P"]


def test_kept_scores_belong_to_a_search_and_are_computed_once(tmp_path: Path) -> None:
    calls: list[bool] = []

    def compute(recalibrated: bool) -> dict[str, float]:
        calls.append(recalibrated)
        return {"P": 1.0 + recalibrated, "F": 2.0}

    def keep(*names: Any) -> dict[str, dict[str, float]]:
        return kept_scores(tmp_path / "scores.json", tmp_path, names, compute)

    (tmp_path / "final.safetensors").write_text("one search")
    found = keep("P", "F")
    assert found == {"supernet": {"P": 2.0, "F": 2.0}, "supernet_as_searched": {"P": 1.0, "F": 2.0}}
    assert keep("P") == found
    assert calls == [True, False]
    (tmp_path / "final.safetensors").write_text("another search")
    assert keep("P") == found
    assert calls == [True, False, True, False]
