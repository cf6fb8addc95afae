from __future__ import annotations

import copy

import pytest
import torch

from unblemish.architecture_search.complexity import branches, measure_costs, normalised, total_cost
from unblemish.networks.catalogue import create
from unblemish.networks.multiscale import multiscale
from unblemish.networks.multiscale_supernet import MultiScaleSupernet, multiscale_supernet

CPU = torch.device("cpu")


def test_published_shares_of_parameters() -> None:
    costs = measure_costs(multiscale_supernet(gray=True), "parameters", 64, CPU)
    assert costs[::4].tolist() == [[92_544, 20_672], [387_968, 153_536], [1_568_640, 784_512]]
    constants = normalised(costs, "kind")
    assert constants.shape == (12, 2)
    assert constants[0].tolist() == pytest.approx([0.681, 0.319], abs=5e-4)
    assert torch.equal(constants, constants[:1].expand(12, 2))


def test_columns_keep_their_differences(supernet: MultiScaleSupernet) -> None:
    costs = measure_costs(supernet, "parameters", 32, CPU)
    constants = normalised(costs, "column")
    torch.testing.assert_close(constants.double() * costs.sum() / 3, costs, rtol=1e-6, atol=0)
    for of in ("kind", "column"):
        assert float(normalised(costs, of).sum()) == pytest.approx(3)


def test_multiply_adds_are_the_difference_between_networks(supernet: MultiScaleSupernet) -> None:
    """Swapping one module of a whole network changes its work by what the modules differ in."""
    from unblemish.evaluation.timing import multiply_adds_per_pixel

    costs = measure_costs(supernet, "flops", 64, CPU)
    work = [
        multiply_adds_per_pixel(create("multiscale", {"architecture": a, "width": 2, "residual": True}))
        for a in ("PP/P", "PF/P", "PF/F")
    ]
    assert work[0] - work[1] == pytest.approx(float(costs[1, 0] - costs[1, 1]))
    assert work[1] - work[2] == pytest.approx(float(costs[2, 0] - costs[2, 1]))


def test_an_architecture_costs_the_sum_of_its_modules() -> None:
    costs = torch.tensor([[5.0, 1.0], [7.0, 2.0], [9.0, 3.0]])
    assert total_cost(costs, "PF/P") == 16
    network = multiscale_supernet(columns="2/1", width=2)
    measured = measure_costs(network, "parameters", 32, CPU)
    wide, narrow = (multiscale(architecture=a, width=2).parameter_count for a in ("PP/P", "FF/F"))
    assert total_cost(measured, "PP/P") - total_cost(measured, "FF/F") == wide - narrow


def test_latency_rises_with_the_picture_and_leaves_the_network_alone(supernet: MultiScaleSupernet) -> None:
    before = copy.deepcopy(supernet.state_dict())
    small, large = (measure_costs(supernet, "latency", side, CPU) for side in (16, 512))
    assert small.shape == (3, 2)
    assert (small > 0).all()
    assert (large.sum(0) > 2 * small.sum(0)).all()
    assert all(torch.equal(value, before[key]) for key, value in supernet.state_dict().items())
    assert supernet.training


def test_branches_halve_and_double() -> None:
    assert [tuple(x.shape) for x in branches((2, 4, 8), 16, CPU)] == [(1, 2, 16, 16), (1, 4, 8, 8), (1, 8, 4, 4)]
