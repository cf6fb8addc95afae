from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from unblemish.networks.loading import load_described
from unblemish.training.division import patch_source, split_pictures
from unblemish.training.recipe import Recipe
from unblemish.training.run import train
from unblemish.training.statistics import (
    PICTURES,
    TOGETHER,
    average_statistics,
    has_statistics,
    statistics_batches,
)
from unblemish.training.synthesis import Synthesis

CPU = torch.device("cpu")


def test_they_become_those_of_the_batches() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    first, last = network[0], network[2]
    assert isinstance(first, nn.BatchNorm2d)
    assert isinstance(last, nn.BatchNorm2d)
    batches = [torch.rand(2, 3, 8, 8) for _ in range(3)]
    average_statistics(network, [])
    assert torch.equal(first.running_mean, torch.zeros(3))
    average_statistics(network, batches)
    torch.testing.assert_close(first.running_mean, torch.stack([one.mean((0, 2, 3)) for one in batches]).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack([one.var((0, 2, 3)) for one in batches]).mean(0))
    assert int(last.num_batches_tracked) == 3
    assert first.momentum == last.momentum == 0.1
    assert not any(module.training for module in network.modules())
    before = last.running_mean.clone()
    average_statistics(network, batches)
    assert torch.equal(last.running_mean, before)


def test_whether_there_are_any() -> None:
    assert has_statistics(nn.Sequential(nn.Sequential(nn.BatchNorm2d(1))))
    assert not has_statistics(nn.Sequential(nn.GroupNorm(1, 1)))


@pytest.mark.parametrize(("crop", "side"), [(16, 32), (48, 48), (200, 72)])
def test_pictures_are_as_large_as_validation_where_training_pictures_are(
    recipe: Callable[..., Recipe], crop: int, side: int
) -> None:
    made = recipe(validation__crop=crop, data__gray=True)
    source = patch_source(made, split_pictures(made)[0])
    synthesis = Synthesis.of(made.degradations)
    batches = statistics_batches(made, source, synthesis, CPU)
    assert [one.shape for one in batches] == [(TOGETHER, 1, side, side)] * (PICTURES // TOGETHER)
    assert not torch.equal(batches[0], batches[1])
    again = statistics_batches(made, source, synthesis, CPU)
    assert all(torch.equal(one, other) for one, other in zip(batches, again, strict=True))


def test_they_shrink_evenly(recipe: Callable[..., Recipe]) -> None:
    made = recipe(validation__crop=68, degradations__shrink=4)
    source = patch_source(made, split_pictures(made)[0])
    assert source.smallest == 72
    assert statistics_batches(made, source, Synthesis.of(made.degradations), CPU)[0].shape[2:] == (17, 17)


def test_weights_are_written_with_them(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    """And not with those of the last few batches."""
    made = recipe(network={"name": "multiscale", "options": {"architecture": "P", "width": 2}}, ema=0.9)
    train(made, tmp_path / "run", accelerator="cpu")
    written = load_described(tmp_path / "run/final.safetensors")
    found = {key: value.clone() for key, value in written.state_dict().items()}
    source = patch_source(made, split_pictures(made)[0])
    average_statistics(written, statistics_batches(made, source, Synthesis.of(made.degradations), CPU))
    for key, value in written.state_dict().items():
        torch.testing.assert_close(value, found[key])
