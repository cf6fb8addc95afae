from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unblemish.architecture_search.building import architecture_batches
from unblemish.architecture_search.task import SearchTask
from unblemish.restoration.methods import build_task
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.fit import LAST
from unblemish.training.recipe import Recipe
from unblemish.training.run import train

Make = Callable[..., Recipe]


def stop() -> None:
    """As Ctrl-C does."""
    signal.raise_signal(signal.SIGINT)


def test_both_levels_draw_other_patches(search: Make) -> None:
    made = search()
    draw = architecture_batches(made)
    first, again, second = (draw(step, torch.device("cpu")) for step in (1, 1, 2))
    assert torch.equal(first.degraded, again.degraded)
    assert not torch.equal(first.clean, second.clean)
    assert first.clean.shape == (2, 3, 32, 32)


def test_gray_pictures_have_one_channel(search: Make) -> None:
    made = search(
        network__options={"columns": "1", "width": 2, "gray": True}, data__gray=True,
        degradations__names=["gray_gaussian_noise:sigma=50"], degradations__rounding="truncated",
    )  # fmt: skip
    task = build_task(made)
    assert isinstance(task, SearchTask)
    batch = architecture_batches(made)(1, torch.device("cpu"))
    assert batch.clean.shape == (2, 1, 32, 32)
    assert task.step(batch)["output"].shape == (2, 1, 32, 32)
    levels = batch.degraded * 255
    assert torch.equal(levels.round(), levels.round(decimals=3))


@pytest.mark.parametrize("extra", [{}, {"second_order": True}])
def test_stopping_and_going_on_changes_no_bit(
    search: Make, recorder: type, tmp_path: Path, extra: dict[str, object]
) -> None:
    made = search(search=extra, precision="bf16-mixed")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(made, whole, build=build_task)
    stopped = train(made, parts, build=build_task, callbacks=[recorder({4: stop})])
    assert stopped.step == 4
    train(made, parts, build=build_task, resume=True)
    one, other = (Checkpoint.load(folder / LAST) for folder in (whole, parts))
    assert one.task.keys() == other.task.keys()
    for key, value in one.task.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other.task[key]), key
    lines = [json.loads(line) for line in (whole / "journal.jsonl").read_text().splitlines()]
    assert any("alpha/2.1" in line for line in lines)


def test_latency_is_measured_once(search: Make, recorder: type, tmp_path: Path) -> None:
    made = search(search={"complexity": "latency", "complexity_weight": 0.1, "latency_side": 16})
    train(made, tmp_path, build=build_task, callbacks=[recorder({3: stop})])
    first = Checkpoint.load(tmp_path / LAST).task["costs"]
    train(made, tmp_path, build=build_task, resume=True)
    assert torch.equal(Checkpoint.load(tmp_path / LAST).task["costs"], first)


def test_what_does_not_go_together(search: Make, recipe: Make) -> None:
    with pytest.raises(TrainingError, match=r"a search trains network\.name=multiscale_supernet, not srresnet"):
        recipe(search={})
    with pytest.raises(TrainingError, match="search and contrast do not go together"):
        search(contrast={"method": "cr"})


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has it")
def test_latency_on_a_device_that_is_not_there(search: Make) -> None:
    made = search(search={"complexity": "latency", "latency_device": "cuda"})
    with pytest.raises(TrainingError, match=r"search\.latency_device=cuda: cannot be measured there"):
        build_task(made)
