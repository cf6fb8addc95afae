from __future__ import annotations

import math

import pytest

from unblemish.training.schedule import rate_factor


def test_warm_up_rises_linearly_to_one() -> None:
    rising = [rate_factor(step, steps=100, warmup=4, floor=0.1) for step in range(5)]
    assert rising == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


@pytest.mark.parametrize("step", [10, 37, 55, 99])
def test_then_a_cosine(step: int) -> None:
    expected = 0.1 + 0.9 * (1 + math.cos(math.pi * (step - 10) / 90)) / 2
    assert rate_factor(step, steps=100, warmup=10, floor=0.1) == pytest.approx(expected)


def test_or_falls_by_the_same_factor_in_every_step() -> None:
    halves = [rate_factor(step, steps=5, warmup=1, floor=0.0625, decay="exponential") for step in range(6)]
    assert halves == pytest.approx([1.0, 1.0, 0.5, 0.25, 0.125, 0.0625])


def test_ends_at_the_floor_and_stays() -> None:
    assert rate_factor(100, steps=100, warmup=10, floor=0.1) == pytest.approx(0.1)
    assert rate_factor(500, steps=100, warmup=10, floor=0.1) == pytest.approx(0.1)


def test_without_warm_up_starts_at_one() -> None:
    assert rate_factor(0, steps=1, warmup=0, floor=0.0) == 1.0
