"""A sequence: three growths after one another, each of which takes all before it for its old expert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from unblemish.lifelong.building import load_lira
from unblemish.lifelong.grow_task import GrowTask
from unblemish.lifelong.growing import frozen, new_parameters, start_growing
from unblemish.lifelong.pseudo_samples import pseudo_pairs
from unblemish.lifelong.strategies import Replay
from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira
from unblemish.networks.replay_generator import ReplayGenerator
from unblemish.restoration.methods import build_task
from unblemish.training.fit import FINAL, save_described
from unblemish.training.losses import l1
from unblemish.training.recipe import Recipe
from unblemish.training.run import train
from unblemish.training.task import Batch

pytestmark = pytest.mark.usefixtures("one_thread")

SEQUENCE = ("moderate_blend_with_haze", "moderate_blend_with_darkness", "moderate_blend_with_rain")
SMALL = {"width": 4, "blocks": 1}


def picture(seed: int = 0) -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def drawn_generator(seed: int) -> ReplayGenerator:
    torch.manual_seed(seed)
    network = create("replay_generator", SMALL)
    assert isinstance(network, ReplayGenerator)
    return network.eval().requires_grad_(False)


@torch.no_grad()
def answers(network: Lira) -> list[Tensor]:
    """Of all its tasks, each `(2, 3, 16, 16)`."""
    return [network.eval().on_task(task)(picture()) for task in range(network.grown + 1)]


@torch.no_grad()
def learnt(network: Lira, seed: int) -> Lira:
    """As if the newest task had learnt: no parameter of its own stays as it was."""
    draw = torch.Generator().manual_seed(seed)
    for parameter in new_parameters(network):
        parameter += 0.02 * torch.randn(parameter.shape, generator=draw)
    return network


@pytest.fixture
def thrice(tiny: Callable[..., Lira]) -> Lira:
    """A network that has grown three times, whose tasks restore differently."""
    network = tiny()
    for grown in (1, 2, 3):
        old, network = network, tiny(seed=grown, grown=grown)
        start_growing(network, old)
        learnt(network, grown)
    return network


@pytest.mark.parametrize("experts", [1, 3])
def test_older_tasks_answer_as_before_after_each_growth(tiny: Callable[..., Lira], experts: int) -> None:
    network = tiny(experts=experts)
    for grown in (1, 2, 3):
        old, network = network, tiny(seed=grown, grown=grown, experts=experts)
        before = answers(old)
        start_growing(network, old)
        for now, then in zip(answers(network), before, strict=False):
            assert torch.equal(now, then)
        new, copied = network.branch(grown).state_dict(), old.branch(grown - 1).state_dict()
        assert all(torch.equal(new[key], copied[key]) for key in copied)
        for now, then in zip(answers(learnt(network, grown)), before, strict=False):
            assert torch.equal(now, then)
    assert len(network.experts) == experts + 3


def test_every_task_is_reached_by_its_number(thrice: Lira, tiny: Callable[..., Lira]) -> None:
    found = answers(thrice)
    for task, answer in enumerate(found):
        chosen = tiny(seed=9, grown=3, task=task)
        chosen.load_state_dict(thrice.state_dict())
        with torch.no_grad():
            assert torch.equal(chosen.eval()(picture()), answer)
        assert not any(torch.allclose(answer, other) for other in found[:task])
    with torch.no_grad():
        assert torch.equal(thrice(picture()), found[-1])


def test_the_third_growth_stands_on_all_before_it(thrice: Lira) -> None:
    """Its result depends on all experts and on what joins them, and on no older extractor, gating or decoder."""
    thrice.requires_grad_(True)(picture()).square().mean().backward()
    without = {".".join(key.split(".")[:2]) for key, p in thrice.named_parameters() if p.grad is None}
    assert without == {"branches.0", "branches.1", "branches.2"}


def test_each_old_task_has_a_generator_of_its_own(thrice: Lira, tiny: Callable[..., Lira]) -> None:
    """Eq. 18 at the third growth: three old tasks, each on what its own generator makes of the new pictures."""
    old = tiny(seed=7, grown=2)
    for task in range(3):
        learnt(old, task)
    old, generators = frozen(old), [drawn_generator(seed) for seed in range(3)]
    seen = Batch(picture(1), picture(2))
    terms = GrowTask(thrice, l1, Replay(generators, old, 1e-3, 0.2, l1)).step(seen)
    each = []
    for task, generator in enumerate(generators):
        damaged, answer = pseudo_pairs(generator, old.on_task(task), seen.clean)
        each.append(l1(thrice.on_task(task)(damaged), answer))
    torch.testing.assert_close(terms["old"], 0.2 * torch.stack(each).mean().detach())
    assert len({round(float(one.detach()), 6) for one in each}) == 3


@pytest.mark.parametrize("ratio", [0.0, 1e-3])
def test_three_growths_are_trained_after_one_another(
    ratio: float,
    old: Path,
    tmp_path: Path,
    recipe: Callable[..., Recipe],
    lira_recipe: Callable[..., Recipe],
    recorder: type[Any],
) -> None:
    """With one generator more each time; at ratio 0 nothing is forgotten, to the last bit."""
    described = recipe(network={"name": "replay_generator", "options": SMALL})
    generators: list[str] = []
    known = ["moderate_blend"]
    for grown, damage in enumerate(SEQUENCE, 1):
        generators.append(str(tmp_path / f"generator{grown}.safetensors"))
        save_described(drawn_generator(grown), Path(generators[-1]), described, 0)
        before, folder, told = answers(load_lira(old)), tmp_path / damage, recorder()
        part = {"stage": "grow", "old": str(old), "replay": generators, "watch": known, "ratio": ratio}
        growth = lira_recipe(options={"grown": grown}, degradations__names=[damage], lifelong=part, steps=3)
        train(growth, folder, build=build_task, callbacks=[told])
        old = folder / FINAL
        after = answers(load_lira(old))
        assert len(after) == grown + 1
        for now, then in zip(after, before, strict=False):
            assert torch.equal(now, then) == (ratio == 0)
            torch.testing.assert_close(now, then, atol=0.01, rtol=0)
        assert told.steps[3][0]["old"] > 0
        assert {*told.validations[3][0]} >= {damage, *known}
        known.append(damage)
