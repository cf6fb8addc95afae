from __future__ import annotations

import functools
import math
from collections.abc import Callable

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.learner import Learner, require_finite
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task
from unblemish.training.task import Batch, RestorationTask, Task

Make = Callable[..., Recipe]


def learner(recipe: Recipe, task: Task | None = None) -> Learner:
    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    return Learner(recipe, task or build_task(recipe), fabric)


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(*(torch.rand(2, 3, 16, 16, generator=generator) for _ in range(2)))


def test_a_step_is_adamw_with_clipping(recipe: Make) -> None:
    made = recipe(optimiser__clip=0.01, optimiser__weight_decay=0.1, optimiser__warmup=2)
    ours = learner(made)
    torch.manual_seed(0)
    task = build_task(made)
    theirs = torch.optim.AdamW(task.parameters(), weight_decay=0.1)
    for step, rate in ((1, 5e-4), (2, 1e-3), (3, 1e-3)):
        terms = ours.learn(batch(step), step)
        theirs.param_groups[0]["lr"] = rate
        loss = task.step(batch(step))["loss"]
        theirs.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(task.parameters(), 0.01)
        theirs.step()
        assert ours.rate(step) == pytest.approx(rate)
        assert terms == pytest.approx({"loss": loss.item(), "gradient": norm.item()}, rel=1e-4)
    for mine, other in zip(ours.task.parameters(), task.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-6)


def test_a_step_may_be_sgd_with_momentum(recipe: Make) -> None:
    made = recipe(optimiser__kind="sgd", optimiser__momentum=0.7, optimiser__weight_decay=0.1, optimiser__clip=100.0)
    ours = learner(made)
    torch.manual_seed(0)
    task = build_task(made)
    theirs = torch.optim.SGD(task.parameters(), momentum=0.7, weight_decay=0.1)
    for step in (1, 2, 3):
        ours.learn(batch(step), step)
        theirs.param_groups[0]["lr"] = ours.rate(step)
        theirs.zero_grad()
        task.step(batch(step))["loss"].backward()
        theirs.step()
    for mine, other in zip(ours.task.parameters(), task.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-6)


def test_weights_and_average_lie_channels_last(recipe: Make) -> None:
    ours = learner(recipe())
    ours.learn(batch(), 1)
    for network in (ours.task.network, ours.averaged):
        weight = network.get_parameter("body.0.conv1.weight")
        assert weight.is_contiguous(memory_format=torch.channels_last)


class Broken(RestorationTask):
    """A second term that is not finite from the second step on, with or without the loss."""

    def __init__(self, task: Task, value: float, spoil_loss: bool) -> None:
        super().__init__(task.network, "l1")
        self.value, self.spoil_loss, self.calls = value, spoil_loss, 0

    def step(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().step(batch)
        self.calls += 1
        extra = torch.tensor(self.value if self.calls > 1 else 0.0)
        loss = terms["loss"] + extra if self.spoil_loss else terms["loss"]
        return {**terms, "loss": loss, "sharpness": extra}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("spoil_loss", [False, True])
def test_a_term_that_is_not_finite_is_named_and_changes_nothing(recipe: Make, value: float, spoil_loss: bool) -> None:
    made = recipe()
    ours = learner(made, Broken(build_task(made), value, spoil_loss))
    ours.learn(batch(1), 1)
    before = {key: tensor.clone() for key, tensor in ours.task.state_dict().items()}
    with pytest.raises(TrainingError, match=rf"step 2: .*'sharpness' is {value}"):
        ours.learn(batch(2), 2)
    assert all(torch.equal(before[key], tensor) for key, tensor in ours.task.state_dict().items())


class SteepRoot(RestorationTask):
    """A finite loss whose gradient is not."""

    def step(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().step(batch)
        return {**terms, "loss": (terms["loss"] * 0).sqrt()}


def test_a_gradient_that_is_not_finite_is_named(recipe: Make) -> None:
    made = recipe()
    ours = learner(made, SteepRoot(build_task(made).network, "l1"))
    with pytest.raises(TrainingError, match="'gradient' is nan"):
        ours.learn(batch(), 1)


def test_every_wrong_value_is_named() -> None:
    require_finite({"a": 1.0}, 1)
    with pytest.raises(TrainingError, match="step 7: 'a' is nan, 'c' is inf; "):
        require_finite({"a": math.nan, "b": 0.0, "c": math.inf}, 7)


def test_restoring_keeps_state_but_takes_settings_from_the_recipe(recipe: Make) -> None:
    made = recipe()
    first = learner(made)
    first.learn(batch(1), 1)
    state = Checkpoint.start(made)
    first.store(state, 1)
    second = learner(recipe(optimiser__weight_decay=0.5, optimiser__betas=(0.8, 0.9)))
    second.restore(state)
    stored = Checkpoint.start(made)
    second.store(stored, 1)
    assert stored.optimiser["param_groups"][0]["weight_decay"] == 0.5
    assert stored.optimiser["param_groups"][0]["betas"] == (0.8, 0.9)
    for old, new in ((state.task, stored.task), (state.average, stored.average)):
        assert all(torch.equal(old[key], new[key]) for key in old)
    for index, moments in state.optimiser["state"].items():
        again = stored.optimiser["state"][index]
        assert all(torch.equal(moments[key], again[key]) for key in moments)


def test_compiled_tasks_keep_their_names_and_values(recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = learner(recipe())
    # The eager backend goes through the same wrapping without minutes of code generation.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    compiled = learner(recipe(compile=True))
    for step in (1, 2):
        assert plain.learn(batch(step), step) == compiled.learn(batch(step), step)
    states = [Checkpoint.start(recipe()) for _ in range(2)]
    plain.store(states[0], 2)
    compiled.store(states[1], 2)
    assert list(states[0].task) == list(states[1].task)
    assert all(torch.equal(states[0].task[key], states[1].task[key]) for key in states[0].task)
    assert all(torch.equal(states[0].average[key], states[1].average[key]) for key in states[0].average)
