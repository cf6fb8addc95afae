from __future__ import annotations

import pytest
import torch

from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.deconvolution.prior import corrector, learned_prior, prior_gradient
from unblemish.networks.catalogue import create
from unblemish.networks.golf import golf


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(2, 3, 17, 22, generator=torch.Generator().manual_seed(0))


def test_it_is_what_the_corrector_takes_away(x: torch.Tensor) -> None:
    network = golf(width=2, corrector_width=2, corrector_fold=2).eval()
    wanted = x - network.corrector(x)
    for given in (network, network.corrector):
        found = prior_gradient(given, x)
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)
        assert not found.requires_grad
    torch.testing.assert_close(learned_prior(network)(x), wanted, rtol=0, atol=0)
    assert corrector(network) is corrector(network.corrector) is network.corrector


def test_a_step_down_the_prior_is_an_iteration_of_the_network(x: torch.Tensor) -> None:
    network = golf(width=2, corrector_width=2, iterations=1).eval()
    with torch.no_grad():
        first = network.first(x)
        torch.testing.assert_close(first - prior_gradient(network, first), network(x))


def test_gradients_flow_where_they_are_asked_for(x: torch.Tensor) -> None:
    network = golf(width=2, corrector_width=2)
    prior_gradient(network, x.requires_grad_(), differentiable=True).square().sum().backward()
    assert x.grad is not None
    assert network.corrector.parameter_count == sum(p.grad.numel() for p in network.corrector.parameters())
    with torch.no_grad():
        assert not prior_gradient(network, x, differentiable=True).requires_grad


def test_float64_stays_so(x: torch.Tensor) -> None:
    assert prior_gradient(golf(width=2, corrector_width=2), x.double()).dtype == torch.float64


def test_a_network_that_enlarges_is_refused(x: torch.Tensor) -> None:
    with pytest.raises(DeconvolutionError, match="enlarges pictures 2 times"):
        prior_gradient(create("edsr_light_x2"), x)
