from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from unblemish.lifelong.adversarial import ADVERSARIAL
from unblemish.training.lifelong_part import ReplayPart

REAL, FAKE = torch.tensor([[0.0, 2.0]]), torch.tensor([[-1.0, 3.0]])


def test_names_are_those_of_recipes() -> None:
    assert set(ADVERSARIAL) == set(get_args(ReplayPart.model_fields["adversarial"].annotation))


def test_least_squares() -> None:
    losses = ADVERSARIAL["least_squares"]
    assert losses.judging(REAL, FAKE).item() == pytest.approx((1 + 1) / 2 + (1 + 9) / 2)
    assert losses.deceiving(FAKE).item() == pytest.approx((4 + 4) / 2)


def test_log_is_eq_15() -> None:
    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    losses = ADVERSARIAL["log"]
    reals = (math.log(sigmoid(0)) + math.log(sigmoid(2))) / 2
    fakes = (math.log(1 - sigmoid(-1)) + math.log(1 - sigmoid(3))) / 2
    assert losses.judging(REAL, FAKE).item() == pytest.approx(-(reals + fakes))
    assert losses.deceiving(FAKE).item() == pytest.approx(-(math.log(sigmoid(-1)) + math.log(sigmoid(3))) / 2)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_two_pull_apart(name: str) -> None:
    losses, fake = ADVERSARIAL[name], torch.tensor([0.5], requires_grad=True)
    (judge,) = torch.autograd.grad(losses.judging(REAL, fake), fake)
    (forger,) = torch.autograd.grad(losses.deceiving(fake), fake)
    assert judge > 0 > forger


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_sure_judges_cost_nothing_infinite(name: str) -> None:
    losses, sure = ADVERSARIAL[name], torch.tensor([-200.0], requires_grad=True)
    assert losses.judging(-sure, sure).isfinite()
    (gradient,) = torch.autograd.grad(losses.deceiving(sure), sure)
    assert gradient <= -1  # the minimax form's would vanish
