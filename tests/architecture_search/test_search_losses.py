from __future__ import annotations

import math

import pytest
import torch

from unblemish.architecture_search.losses import architecture_loss, complexity_loss


def test_the_entropy_of_eq_4_by_hand() -> None:
    alphas = torch.tensor([[0.1601, 0.8399], [0.8286, 0.1714]])
    terms = [a * math.log10(a) + (1 - a) * math.log10(1 - a) for a in alphas.flatten().tolist()]
    assert float(architecture_loss(alphas)) == pytest.approx(-sum(terms) / 4, rel=1e-6)


def test_decided_columns_cost_nothing_and_undecided_ones_most() -> None:
    assert float(architecture_loss(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))) == 0
    assert float(architecture_loss(torch.full((3, 2), 0.5))) == pytest.approx(math.log10(2))


def test_its_gradient_widens_the_gap() -> None:
    logits = torch.tensor([[0.1, -0.1], [-0.2, 0.2]], requires_grad=True)
    architecture_loss(logits.softmax(1)).backward()
    assert logits.grad is not None
    assert torch.equal((-logits.grad).sign(), logits.detach().sign())


def test_the_cost_of_eq_5_by_hand() -> None:
    alphas, constants = torch.tensor([[0.25, 0.75], [1.0, 0.0]]), torch.tensor([[0.7, 0.3], [0.6, 0.2]])
    assert float(complexity_loss(alphas, constants)) == pytest.approx(((0.175 + 0.225) + 0.6) / 2)
