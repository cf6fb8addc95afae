"""Experts learn one damage each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unblemish.lifelong.errors import LifelongError
from unblemish.lifelong.experts_task import ExpertsTask
from unblemish.networks.lira import Lira
from unblemish.restoration.methods import build_task
from unblemish.training.losses import l1
from unblemish.training.recipe import Recipe
from unblemish.training.run import train
from unblemish.training.task import Batch

NAMES = ("jpeg", "gaussian_noise")


def batch(*kinds: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    degraded, clean = (torch.rand(len(kinds), 3, 16, 16, generator=generator) for _ in range(2))
    return Batch(degraded, clean, torch.tensor(kinds))


def test_every_patch_goes_through_the_expert_of_its_damage(tiny: Callable[..., Lira]) -> None:
    network = tiny()
    task, seen = ExpertsTask(network, l1, NAMES), batch(1, 0, -1, -1)
    with torch.no_grad():
        terms = task.step(seen)
        for row, expert in enumerate((1, 0, 0, 1)):
            own = slice(row, row + 1)
            expected = network.on_expert(expert)(seen.degraded[own])
            torch.testing.assert_close(terms["output"][own], expected)
    torch.testing.assert_close(terms["loss"], l1(terms["output"], seen.clean))


def test_an_expert_learns_from_its_own_damage_alone(tiny: Callable[..., Lira]) -> None:
    network = tiny()
    ExpertsTask(network, l1, NAMES).step(batch(1, 1))["loss"].backward()
    assert all(p.grad is None for p in network.experts[0].parameters())
    assert all(p.grad is not None for p in network.experts[1].parameters())


def test_what_joins_them_is_not_trained(tiny: Callable[..., Lira]) -> None:
    network = tiny()
    trained = {id(p) for p in ExpertsTask(network, l1, NAMES).trainable()}
    apart = [network.amalgams[0], network.branch(0).fine, network.branch(0).coarse]
    assert not trained & {id(p) for part in apart for p in part.parameters()}
    assert len(trained) == len(list(network.parameters())) - sum(len(list(part.parameters())) for part in apart)


def test_validation_asks_the_expert(tiny: Callable[..., Lira]) -> None:
    network = tiny()
    task = ExpertsTask(network, l1, NAMES)
    assert [getattr(task.path(network, name), "expert") for name in (*NAMES, "clean")] == [0, 1, 0]  # noqa: B009


@pytest.mark.parametrize("names", [(), ("jpeg",), ("jpeg", "haze", "rain")])
def test_as_many_degradations_as_experts(tiny: Callable[..., Lira], names: tuple[str, ...]) -> None:
    with pytest.raises(LifelongError, match="2 experts learn one degradation each"):
        ExpertsTask(tiny(), l1, names)


def test_a_grown_network_has_its_experts(tiny: Callable[..., Lira]) -> None:
    with pytest.raises(LifelongError, match="grown=0"):
        ExpertsTask(tiny(grown=1), l1, NAMES)


def test_pairs_do_not_say_their_damage(tiny: Callable[..., Lira]) -> None:
    x = torch.rand(1, 3, 16, 16)
    with pytest.raises(LifelongError, match=r"leave data\.pairs out"):
        ExpertsTask(tiny(), l1, NAMES).step(Batch(x, x))


def test_two_stages(tmp_path: Path, lira_recipe: Callable[..., Recipe]) -> None:
    """The base network starts with the experts, extractor and decoder that the first stage left."""
    first = lira_recipe(lifelong={"stage": "experts"}, steps=3)
    result = train(first, tmp_path / "experts", build=build_task)
    assert result.step == 3
    final = tmp_path / "experts" / "final.safetensors"
    join = lira_recipe(lifelong={"stage": "join", "experts": str(final)}, degradations__names=["moderate_blend"])
    from unblemish.networks.loading import load_described

    learnt, started = load_described(final), build_task(join).network
    same = {key for key, value in learnt.state_dict().items() if torch.equal(value, started.state_dict()[key])}
    assert {".".join(key.split(".")[:3]) for key in same if "weight" in key} == {
        "experts.0.blocks",
        "experts.1.blocks",
        "branches.0.extractor",
        "branches.0.decoder",
    }
    assert train(join, tmp_path / "base", build=build_task).step == 6


def test_experts_of_another_size_are_refused(old: Path, lira_recipe: Callable[..., Recipe]) -> None:
    join = lira_recipe(lifelong={"stage": "join", "experts": str(old)}, options={"width": 32})
    with pytest.raises(LifelongError, match="the experts do not fit"):
        build_task(join)
