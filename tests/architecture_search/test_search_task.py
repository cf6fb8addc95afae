from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from unblemish.architecture_search.complexity import measure_costs, normalised
from unblemish.architecture_search.losses import architecture_loss, complexity_loss
from unblemish.architecture_search.task import SearchTask
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.losses import mse
from unblemish.training.search_part import SearchPart
from unblemish.training.task import Batch

CPU = torch.device("cpu")


def batch(seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(*(torch.rand(2, 3, 16, 16, generator=generator) for _ in range(2)))


def task(supernet: MultiScaleSupernet, **part: Any) -> SearchTask:
    costs = measure_costs(supernet, "parameters", 16, CPU)
    settings = SearchPart(**{"warmup": 1, "rate": 0.1, **part})
    return SearchTask(
        supernet, mse, settings, costs=costs, batches=lambda step, _: batch(100 + step), rate=lambda _: 0.05
    )


def test_weights_and_architecture_are_apart(supernet: MultiScaleSupernet) -> None:
    trained = {id(parameter) for parameter in task(supernet).trainable()}
    logits = {id(parameter) for parameter in supernet.architecture_parameters()}
    assert len(logits) == 3
    assert not trained & logits
    assert trained | logits == {id(parameter) for parameter in supernet.parameters()}


def test_the_warm_up_leaves_the_architecture_alone(supernet: MultiScaleSupernet) -> None:
    ours, before = task(supernet), supernet.alphas().detach()
    terms = ours.step(batch(0))
    assert torch.equal(supernet.alphas(), before)
    assert "architecture/loss" not in terms
    assert {key for key in terms if key.startswith("alpha/")} == {"alpha/1.1", "alpha/1.2", "alpha/2.1"}
    ours.after_step(1)
    assert "architecture/loss" in ours.step(batch(1))
    assert not torch.equal(supernet.alphas(), before)


@pytest.mark.parametrize("second_order", [False, True])
def test_a_step_of_the_architecture_is_adam_on_eq_2(supernet: MultiScaleSupernet, second_order: bool) -> None:
    ours = task(
        supernet, warmup=0, architecture_weight=0.5, complexity_weight=0.2, complexity_of="column",
        second_order=second_order,
    )  # fmt: skip
    twin = copy.deepcopy(supernet).eval()
    weights = [p for p in twin.parameters() if not any(p is logits for logits in twin.architecture_parameters())]
    if second_order:  # one step of gradient descent, by hand, keeping its graph
        slopes = torch.autograd.grad(_loss(twin, dict(twin.named_parameters()), batch(0)), weights, create_graph=True)
        names = {id(p): name for name, p in twin.named_parameters()}
        moved = {names[id(p)]: p - 0.05 * slope for p, slope in zip(weights, slopes, strict=True)}
        restoration = _loss(twin, {**dict(twin.named_parameters()), **moved}, batch(101))
    else:
        restoration = _loss(twin, dict(twin.named_parameters()), batch(101))
    alphas = twin.alphas()
    total = restoration + 0.5 * architecture_loss(alphas)
    total = total + 0.2 * complexity_loss(alphas, normalised(ours.costs, "column"))
    adam = torch.optim.Adam(twin.architecture_parameters(), 0.1, (0.5, 0.999), weight_decay=1e-3)
    for logits, slope in zip(
        twin.architecture_parameters(), torch.autograd.grad(total, twin.architecture_parameters()), strict=True
    ):
        logits.grad = slope
    adam.step()
    terms = ours.step(batch(0))
    torch.testing.assert_close(supernet.alphas(), twin.alphas())
    for mine, other in zip(supernet.architecture_parameters(), twin.architecture_parameters(), strict=True):
        mean = adam.state[other]["exp_avg"]  # half the gradient; a first step of Adam shows no more than its sign
        torch.testing.assert_close(ours._adam.state[mine]["exp_avg"], mean, rtol=1e-4, atol=1e-6)
    assert float(terms["architecture/polarisation"]) == pytest.approx(float(architecture_loss(alphas.detach())))


def _loss(network: MultiScaleSupernet, parameters: dict[str, torch.Tensor], pictures: Batch) -> torch.Tensor:
    return mse(torch.func.functional_call(network, parameters, pictures.degraded), pictures.clean)


def test_unrolling_differs_from_first_order_and_changes_no_weight(supernet: MultiScaleSupernet) -> None:
    found = []
    for second_order in (False, True):
        twin = copy.deepcopy(supernet)
        ours = task(twin, warmup=0, second_order=second_order, architecture_weight=0.0)
        before = {key: value.clone() for key, value in twin.state_dict().items() if "logits" not in key}
        ours._move_architecture(batch(0), 1)
        assert all(torch.equal(value, before[key]) for key, value in twin.state_dict().items() if key in before)
        assert twin.training
        found.append(ours._adam.state[twin.architecture_parameters()[0]]["exp_avg"].clone())
    assert not torch.allclose(found[0], found[1], rtol=1e-3)


def test_penalties_drive_the_architecture(supernet: MultiScaleSupernet) -> None:
    """With a heavy cost of parameters, every column turns to fusion, whatever the pictures say."""
    ours = task(supernet, warmup=0, complexity_weight=100.0)
    for step in range(1, 31):
        ours.step(batch(step))
        ours.after_step(step)
    assert supernet.architecture() == "FF/F"


def test_the_weights_gradient_is_untouched_by_the_architectures(supernet: MultiScaleSupernet) -> None:
    """Whatever was done to the logits, the loss returned is that of the weights' own batch alone."""
    ours = task(supernet, warmup=0)
    terms = ours.step(batch(0))
    assert all(parameter.grad is None for parameter in supernet.parameters())
    twin = copy.deepcopy(supernet)
    assert torch.equal(terms["loss"], mse(twin(batch(0).degraded), batch(0).clean))


def test_its_state_goes_on_bit_for_bit(supernet: MultiScaleSupernet) -> None:
    twin = copy.deepcopy(supernet)
    whole, halves = task(supernet), task(twin)
    for step in (1, 2):
        for one in (whole, halves):
            one.step(batch(step))
            one.after_step(step)
    resumed = task(copy.deepcopy(twin))
    with torch.no_grad():
        for parameter in resumed.parameters():
            parameter.zero_()
    resumed.load_state_dict(halves.state_dict())
    for one in (whole, resumed):
        one.step(batch(3))
    assert torch.equal(supernet.alphas(), resumed.supernet.alphas())
    assert torch.equal(whole.costs, resumed.costs)
