"""The two stages of training a Golf Optimizer."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unblemish.deconvolution.criterion import Criterion
from unblemish.deconvolution.task import CorrectionTask, CriterionTask
from unblemish.networks.golf import golf
from unblemish.networks.loading import load_described
from unblemish.restoration.methods import build_task
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.fit import BEST, FINAL, LAST
from unblemish.training.losses import LOSSES
from unblemish.training.recipe import Recipe
from unblemish.training.run import train
from unblemish.training.task import Batch

Make = Callable[..., Recipe]
SMALL = {"width": 4, "corrector_width": 4, "iterations": 2}


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 16, 16, generator=generator)
    return Batch((clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1), clean)


def first_stage(recipe: Make, folder: Path) -> Path:
    network = {"name": "golf_first", "options": {"width": 4}}
    train(recipe(network=network, task__loss="golf_content"), folder, build=build_task)
    return folder / BEST


def test_the_loss_is_the_mean_over_iterations() -> None:
    torch.manual_seed(0)
    network, pair = golf(**SMALL), batch()
    terms = CorrectionTask(network, Criterion(LOSSES["golf_content"]), iterations=3)(pair)
    x, losses = network.first(pair.degraded), []
    for _ in range(3):
        x = network.corrector(x)
        losses.append(12 * (x - pair.clean).square().mean())
    torch.testing.assert_close(terms["loss"], torch.stack(losses).mean())
    torch.testing.assert_close(terms["iteration_2"], losses[1])
    torch.testing.assert_close(terms["output"], x)


def test_gradients_flow_through_all_iterations_and_only_into_g() -> None:
    torch.manual_seed(0)
    network, pair = golf(**SMALL), batch()
    task = CorrectionTask(network, Criterion(LOSSES["mse"]), iterations=2)
    task(pair)["loss"].backward()
    whole = network.corrector.conv_first.weight.grad  # pyright: ignore[reportAttributeAccessIssue]
    assert all(p.grad is None for p in network.first.parameters())
    with torch.no_grad():
        once = network.corrector(network.first(pair.degraded))
    network.zero_grad()
    first = network.corrector(network.first(pair.degraded))
    losses = [(x - pair.clean).square().mean() for x in (first, network.corrector(once))]
    torch.stack(losses).mean().backward()
    cut = network.corrector.conv_first.weight.grad  # pyright: ignore[reportAttributeAccessIssue]
    assert not torch.allclose(whole, cut)
    assert {id(p) for p in task.trainable()} == {id(p) for p in network.corrector.parameters()}


def test_the_criterion_is_logged() -> None:
    terms = CriterionTask(golf(**SMALL), Criterion(LOSSES["l1"]))(batch())
    assert terms["loss"] == terms["content"]


def test_both_stages(recipe: Make, tmp_path: Path) -> None:
    first = first_stage(recipe, tmp_path / "first")
    second = recipe(network={"name": "golf", "options": SMALL}, golf={"first": str(first), "iterations": 2})
    train(second, tmp_path / "golf", build=build_task)
    trained, shot = load_described(tmp_path / "golf" / FINAL), load_described(first)
    assert trained.iterations == 2  # pyright: ignore[reportAttributeAccessIssue]
    for key, value in shot.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[f"first.{key}"], value, rtol=0, atol=0)
    assert "iteration_2" in (tmp_path / "golf/journal.jsonl").read_text()


def test_resumed_corrections_are_the_same_bit_for_bit(recipe: Make, recorder: Any, tmp_path: Path) -> None:
    first = first_stage(recipe, tmp_path / "first")
    golf = recipe(network={"name": "golf", "options": SMALL}, golf={"first": str(first), "iterations": 2})
    train(golf, tmp_path / "whole", build=build_task)
    interrupted = recorder({3: lambda: signal.raise_signal(signal.SIGTERM)})
    train(golf, tmp_path / "halves", build=build_task, callbacks=[interrupted])
    first.unlink()  # what it held is in the checkpoint
    train(golf, tmp_path / "halves", build=build_task, resume=True)
    one, other = (Checkpoint.load(tmp_path / name / LAST).task for name in ("whole", "halves"))
    assert any(key.startswith("network.first.") for key in one)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_corrections_need_a_first_step(recipe: Make) -> None:
    with pytest.raises(TrainingError, match=r"golf.first"):
        build_task(recipe(network={"name": "golf", "options": SMALL}, golf={}))


def test_golf_is_of_its_network(recipe: Make) -> None:
    with pytest.raises(TrainingError, match=r"network\.name=golf"):
        recipe(golf={})
