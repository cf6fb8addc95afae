"""Iterations at test time, from the function to `unblemish restore`."""

from __future__ import annotations

import pytest
import torch

from unblemish.networks.golf import GolfOptimizer, golf
from unblemish.networks.srresnet import srresnet
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.iterating import iterating
from unblemish.restoration.restorer import Restorer


def small() -> GolfOptimizer:
    torch.manual_seed(0)
    return golf(width=4, corrector_width=4, iterations=1).eval()


def test_the_given_network_stays_as_it_is() -> None:
    network = small()
    changed = iterating(network, "golf", 4, 1e-3)
    assert isinstance(changed, GolfOptimizer)
    assert (changed.iterations, changed.tolerance) == (4, 1e-3)
    assert (network.iterations, network.tolerance) == (1, None)
    assert changed.corrector is network.corrector


def test_nothing_asked_changes_nothing() -> None:
    network = srresnet(blocks=1, width=4)
    assert iterating(network, "plain", None, None) is network


@pytest.mark.parametrize(
    ("iterations", "tolerance", "complaint"),
    [(-1, None, "whole number from 0"), (None, 0.0, "above 0"), (2, float("nan"), "above 0")],
)
def test_impossible_numbers(iterations: int | None, tolerance: float | None, complaint: str) -> None:
    with pytest.raises(RestorationError, match=complaint):
        iterating(small(), "golf", iterations, tolerance)


def test_networks_that_do_not_iterate() -> None:
    with pytest.raises(RestorationError, match="'plain' does not iterate"):
        iterating(srresnet(blocks=1, width=4), "plain", 3, None)


def test_a_restorer_iterates_as_asked() -> None:
    x = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    network = small()
    results = [
        Restorer(network=network, precision="float32", iterations=n).restore_tensor(x) for n in (None, 1, 3)
    ]  # fmt: skip
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_other_iterations_are_other_results_in_records() -> None:
    network = small()
    prints = {Restorer(network=network, iterations=n).treatment.fingerprint for n in (1, 2)}
    assert len(prints) == 2


def test_tolerance_needs_the_eager_engine() -> None:
    with pytest.raises(RestorationError, match="'onnx' runs all iterations"):
        Restorer(network=small(), tolerance=1e-3, engine="onnx")


def test_an_examination_chooses_no_iterations() -> None:
    with pytest.raises(RestorationError, match="for one network"):
        Restorer(iterations=3)
