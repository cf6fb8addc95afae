from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from unblemish.architecture_search.supernet_scores import kept_scores, recalibrate, supernet_scores
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


def test_statistics_become_those_of_the_batches() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.Dropout(), nn.BatchNorm2d(3))
    first, last = network[0], network[3]
    assert isinstance(first, nn.BatchNorm2d)
    assert isinstance(last, nn.BatchNorm2d)
    batches = [torch.rand(2, 3, 8, 8) for _ in range(3)]
    recalibrate(network, [])
    assert torch.equal(first.running_mean, torch.zeros(3))
    recalibrate(network, batches)
    torch.testing.assert_close(first.running_mean, torch.stack([one.mean((0, 2, 3)) for one in batches]).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack([one.var((0, 2, 3)) for one in batches]).mean(0))
    assert int(last.num_batches_tracked) == 3
    assert first.momentum == last.momentum == 0.1
    assert not any(module.training for module in network.modules())
    before = last.running_mean.clone()
    recalibrate(network, batches)
    assert torch.equal(last.running_mean, before)


def test_scores_are_those_of_the_derived_networks(supernet: MultiScaleSupernet, searching: Recipe) -> None:
    before = {key: value.clone() for key, value in supernet.state_dict().items()}
    space = ["P/P", "P/F", "F/P", "F/F"]
    found = supernet_scores(supernet, space, searching, CPU, batches=2)
    assert list(found) == space
    assert len(set(found.values())) == 4
    assert supernet_scores(supernet, ["F/P"], searching, CPU, batches=2) == {"F/P": found["F/P"]}
    assert all(torch.equal(value, before[key]) for key, value in supernet.state_dict().items())
    plain = supernet_scores(supernet, ["F/P"], searching, CPU, batches=0)
    _, validation = load_data(searching)
    with torch.no_grad():
        assert plain["F/P"] == validation.score(supernet.derive("F/P"), CPU)["gain"]
    assert plain["F/P"] != found["F/P"]


def test_kept_scores_belong_to_a_search_and_are_computed_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute(batches: int) -> dict[str, float]:
        calls.append(batches)
        return {"P": 1.0 + batches, "F": 2.0}

    def keep(*names: Any) -> dict[str, dict[str, float]]:
        return kept_scores(tmp_path / "scores.json", tmp_path, names, compute)

    (tmp_path / "final.safetensors").write_text("one search")
    found = keep("P", "F")
    assert found == {"supernet": {"P": 21.0, "F": 2.0}, "supernet_as_searched": {"P": 1.0, "F": 2.0}}
    assert keep("P") == found
    assert calls == [20, 0]
    (tmp_path / "final.safetensors").write_text("another search")
    assert keep("P") == found
    assert calls == [20, 0, 20, 0]
