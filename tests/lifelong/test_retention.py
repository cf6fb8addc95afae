"""Forgetting and backward transfer, by hand."""

from __future__ import annotations

import pytest

from unblemish.lifelong.retention import transfer


def test_two_tasks() -> None:
    found = transfer([[28.61], [20.25, 27.51]])  # fine-tuning in LIRA's Table 4, mild
    assert found.average == pytest.approx(23.88)
    assert found.backward == pytest.approx(-8.36)
    assert found.forgetting == pytest.approx(8.36)


def test_a_task_may_get_better_before_it_is_forgotten() -> None:
    """Backward transfer counts from when a task was learnt, forgetting from its best."""
    found = transfer([[20.0], [22.0, 30.0], [21.0, 29.0, 25.0]])
    assert found.average == pytest.approx(25.0)
    assert found.backward == pytest.approx((1.0 - 1.0) / 2)
    assert found.forgetting == pytest.approx((1.0 + 1.0) / 2)


def test_learning_may_help() -> None:
    found = transfer([[20.0], [20.5, 30.0]])
    assert (found.backward, found.forgetting) == (pytest.approx(0.5), pytest.approx(-0.5))


@pytest.mark.parametrize("triangle", [[], [[1.0]], [[1.0], [1.0]], [[1.0, 2.0], [1.0, 2.0]]])
def test_what_is_no_triangle(triangle: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="a triangle of at least two rows"):
        transfer(triangle)
