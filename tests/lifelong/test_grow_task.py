"""Growing: what starts where, what each strategy changes and what it adds to the loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from unblemish.lifelong.errors import LifelongError
from unblemish.lifelong.grow_task import GrowTask
from unblemish.lifelong.growing import frozen, new_parameters, older_parameters, shared_parameters, start_growing
from unblemish.lifelong.importance import fisher_information
from unblemish.lifelong.pseudo_samples import pseudo_pairs
from unblemish.lifelong.strategies import Consolidation, Distillation, Rehearsal, Replay, Unprotected
from unblemish.networks.lira import Lira
from unblemish.networks.loading import load_described
from unblemish.restoration.methods import build_task
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.losses import l1
from unblemish.training.recipe import Recipe
from unblemish.training.run import train
from unblemish.training.task import Batch

GROWN = {"options": {"grown": 1}, "degradations__names": ["darkness"]}


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    degraded, clean = (torch.rand(2, 3, 16, 16, generator=generator) for _ in range(2))
    return Batch(degraded, clean)


def grow(old: Path, strategy: str, **more: Any) -> dict[str, Any]:
    return {"stage": "grow", "strategy": strategy, "old": str(old), **more}


def test_starts_with_all_that_was_learnt(tiny: Callable[..., Lira]) -> None:
    old, network = tiny(), tiny(seed=1, grown=1)
    start_growing(network, old)
    x = batch().degraded
    with torch.no_grad():
        torch.testing.assert_close(network.on_task(0)(x), old(x))
    copied, kept = network.branch(1).state_dict(), old.branch(0).state_dict()
    assert all(torch.equal(copied[key], kept[key]) for key in kept)


@pytest.mark.parametrize(("old", "new"), [({}, {"grown": 2}), ({}, {}), ({"width": 32}, {"grown": 1})])
def test_grows_by_one(tiny: Callable[..., Lira], old: dict[str, Any], new: dict[str, Any]) -> None:
    with pytest.raises(LifelongError, match="cannot go on from one with"):
        start_growing(tiny(**new), tiny(**old))


def test_parts_of_a_grown_network(tiny: Callable[..., Lira]) -> None:
    network = tiny(grown=2)
    parts = [shared_parameters(network), older_parameters(network), new_parameters(network)]
    ids = [id(p) for part in parts for p in part]
    assert len(set(ids)) == len(ids) == len(list(network.parameters()))


@pytest.mark.parametrize(
    ("factors", "changed"),
    [((1.0, 0.0), {"new", "shared"}), ((0.0, 0.0), {"new"}), ((0.1, 0.1), {"new", "shared", "older"})],
)
def test_what_may_change(tiny: Callable[..., Lira], factors: tuple[float, float], changed: set[str]) -> None:
    knowledge = Unprotected(factors[0])
    knowledge.older_factor = factors[1]
    network = tiny(grown=1)
    task = GrowTask(network, l1, knowledge)
    groups = {"new": new_parameters(network), "shared": shared_parameters(network), "older": older_parameters(network)}
    trained = {id(p) for p in task.trainable()}
    assert {name for name, part in groups.items() if {id(p) for p in part} <= trained} == changed
    assert {factor for _, factor in task.rate_factors()} == {1.0, *(factor for factor in factors if factor)}


def test_setting_a_looks_at_the_new_task_alone(tiny: Callable[..., Lira]) -> None:
    network, seen = tiny(grown=1), batch()
    terms = GrowTask(network, l1, Unprotected(1e-3)).step(seen)
    assert set(terms) == {"loss", "output"}
    torch.testing.assert_close(terms["loss"], l1(network(seen.degraded), seen.clean))


def test_eq_18(tiny: Callable[..., Lira], generator: Path) -> None:
    old, network, seen = frozen(tiny()), tiny(seed=1, grown=1), batch()
    replayed = load_described(generator).eval()
    terms = GrowTask(network, l1, Replay([replayed], old, 1e-3, 0.2, l1)).step(seen)
    damaged, answer = pseudo_pairs(replayed, old, seen.clean)
    expected = 0.2 * l1(network.on_task(0)(damaged), answer)
    torch.testing.assert_close(terms["old"], expected.detach())
    torch.testing.assert_close(terms["loss"], terms["new"] + terms["old"])


def test_old_tasks_count_alike(tiny: Callable[..., Lira]) -> None:
    network, seen = tiny(grown=2), batch()
    drawn: list[tuple[int, int]] = []

    def batches(task: int, step: int, device: torch.device) -> Batch:
        drawn.append((task, step))
        return batch(task)

    value = Rehearsal(batches, 1e-3, 0.5, l1).loss(network, seen, 7)
    each = [l1(network.on_task(task)(batch(task).degraded), batch(task).clean) for task in range(2)]
    torch.testing.assert_close(value, 0.5 * torch.stack(each).mean())
    assert drawn == [(0, 7), (1, 7)]


def test_distillation_keeps_answers(tiny: Callable[..., Lira]) -> None:
    old, seen = frozen(tiny()), batch()
    network = tiny(seed=1, grown=1)
    start_growing(network, old)
    strategy = Distillation(old, 1e-3, 0.2, l1)
    clamped = l1(old(seen.degraded), old(seen.degraded).clamp(0.0, 1.0))
    torch.testing.assert_close(strategy.loss(network, seen, 1).detach(), 0.2 * clamped)


def test_ewc_holds_what_matters(tiny: Callable[..., Lira]) -> None:
    network = tiny(grown=1)
    important = [torch.rand_like(value) for value in shared_parameters(network)]
    strategy = Consolidation(important, network, 3.0)
    assert strategy.loss(network, batch(), 1).item() == 0.0
    with torch.no_grad():
        moved = shared_parameters(network)[0]
        moved += 0.1
    expected = 3.0 / 2 * (important[0] * 0.01).sum()
    torch.testing.assert_close(strategy.loss(network, batch(), 1).detach(), expected)


def test_fisher_information_of_what_old_tasks_use(tiny: Callable[..., Lira]) -> None:
    network = tiny(grown=1)
    found = fisher_information(network, [(0, batch(0)), (0, batch(1))], l1)
    assert torch.cat([value.flatten() for value in found]).mean() == pytest.approx(1.0, rel=1e-4)
    first = shared_parameters(network)[0]

    def squared(seen: Batch, row: int) -> Tensor:
        own = slice(row, row + 1)
        value = l1(network.on_task(0)(seen.degraded[own]), seen.clean[own])
        return torch.autograd.grad(value, first)[0].square()

    expected = sum(squared(batch(seed), row) for seed in range(2) for row in range(2))
    assert isinstance(expected, Tensor)
    alike = torch.cosine_similarity(found[0].flatten(), expected.flatten(), dim=0)
    assert float(alike) == pytest.approx(1.0, abs=1e-5)
    assert all(p.grad is None for p in network.parameters())


def test_validation_asks_the_task(tiny: Callable[..., Lira]) -> None:
    task = GrowTask(tiny(grown=1), l1, Unprotected(1.0), ["moderate_blend"])
    chosen = [getattr(task.path(task.network, name), "task") for name in ("moderate_blend", "haze")]  # noqa: B009
    assert chosen == [0, -1]


def strategies(old: Path, generator: Path, photos: Path) -> dict[str, dict[str, Any]]:
    remembering = {"old_folder": str(photos), "watch": ["jpeg"]}
    return {
        "lira": grow(old, "lira", replay=[str(generator)], watch=["jpeg"]),
        "setting_a": grow(old, "setting_a"),
        "fine_tuning": grow(old, "fine_tuning"),
        "progressive": grow(old, "progressive"),
        "lwf": grow(old, "lwf"),
        "joint": grow(old, "joint", **remembering),
        "ewc": grow(old, "ewc", importance_patches=2, **remembering),
    }


@pytest.mark.parametrize("name", ["lira", "setting_a", "fine_tuning", "progressive", "lwf", "joint", "ewc"])
def test_every_strategy_goes_on_as_if_it_had_never_stopped(
    name: str, old: Path, generator: Path, photos: Path, tmp_path: Path, lira_recipe: Callable[..., Recipe]
) -> None:
    part = strategies(old, generator, photos)[name]
    whole = lira_recipe(**GROWN, lifelong=part, steps=4, validation__every=2)
    train(whole, tmp_path / "whole", build=build_task)
    first = lira_recipe(**GROWN, lifelong=part, steps=4, validation__every=2, save_every=2)

    class Stop:
        def on_start(self, *_: object) -> None: ...
        def on_validation(self, *_: object) -> None: ...
        def on_end(self, *_: object) -> None: ...
        def on_step(self, step: int, *_: object) -> None:
            if step == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(first, tmp_path / "parts", build=build_task, callbacks=[Stop()])  # pyright: ignore[reportArgumentType]
    train(whole, tmp_path / "parts", build=build_task, resume=True)
    ends = [Checkpoint.load(tmp_path / folder / "last.ckpt") for folder in ("whole", "parts")]
    assert all(torch.equal(ends[0].average[key], ends[1].average[key]) for key in ends[0].average)
    same = load_described(old).state_dict()
    moved = {key.split(".")[0] for key, value in ends[0].average.items() if key in same and not value.equal(same[key])}
    expected = {"progressive": set(), "lira": {"experts", "amalgams", "branches"}}
    assert moved == expected.get(name, moved)
    assert ("branches" in moved) == (name in ("lira", "lwf", "joint"))


@pytest.mark.parametrize(
    ("options", "part", "said"),
    [
        ({"grown": 2}, {"strategy": "setting_a"}, r"set network\.options\.grown=1, not 2"),
        ({"grown": 1}, {"strategy": "setting_a", "watch": ["jpeg", "haze"]}, r"lifelong\.watch, from the first on"),
    ],
)
def test_stages_that_do_not_fit(
    options: dict[str, Any], part: dict[str, Any], said: str, old: Path, lira_recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(LifelongError, match=said):
        build_task(lira_recipe(options=options, lifelong={"stage": "grow", "old": str(old), **part}))


def test_weights_of_other_networks(generator: Path, old: Path, lira_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(LifelongError, match="no network that can grow"):
        build_task(lira_recipe(**GROWN, lifelong=grow(generator, "setting_a")))
    with pytest.raises(LifelongError, match="holds no generator"):
        build_task(lira_recipe(**GROWN, lifelong=grow(old, "lira", replay=[str(old)])))
