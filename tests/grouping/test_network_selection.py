from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.network_selection import exhaustive_trainings, select_networks, trainings


def score(affinities: np.ndarray, group: tuple[int, ...], member: int) -> float:
    others = [other for other in group if other != member]
    return sum(affinities[other, member] for other in others) / len(others) if others else -1e6


def best_by_listing(affinities: np.ndarray, budget: int) -> float:
    """TAG's way: every choice of up to `budget` subsets that covers all."""
    count = len(affinities)
    subsets = [c for size in range(1, count + 1) for c in combinations(range(count), size)]
    best = -np.inf
    for chosen in (c for size in range(1, budget + 1) for c in combinations(subsets, size)):
        served = [[score(affinities, g, t) for g in chosen if t in g] for t in range(count)]
        if all(served):
            best = max(best, sum(map(max, served)) / count)
    return best


@pytest.mark.parametrize(("count", "budget"), [(1, 1), (2, 2), (3, 2), (4, 1), (4, 2), (4, 3), (5, 2)])
def test_the_choice_is_as_good_as_the_best_of_all(count: int, budget: int) -> None:
    for seed in range(3):
        affinities = np.random.default_rng(seed).standard_normal((count, count))
        chosen = select_networks([f"d{i}" for i in range(count)], affinities, budget)
        assert chosen.score == pytest.approx(best_by_listing(affinities, budget))
        assert len(chosen.groups) <= budget
        assert set(chosen.serves.values()) == set(chosen.groups)
        served = [
            score(affinities, tuple(int(name[1:]) for name in group), int(task[1:]))
            for task, group in chosen.serves.items()
        ]
        assert sum(served) / count == pytest.approx(chosen.score)


def test_groups_overlap_where_one_helps_many() -> None:
    affinities = np.full((3, 3), -1.0)
    affinities[0, 1] = affinities[0, 2] = 1.0
    affinities[1, 0] = 0.5
    chosen = select_networks(("helper", "b", "c"), affinities, 3)
    assert chosen.groups == (("helper", "b"), ("helper", "c"))
    assert chosen.serves == {"helper": ("helper", "b"), "b": ("helper", "b"), "c": ("helper", "c")}
    assert chosen.score == pytest.approx(2.5 / 3)


def test_eleven_degradations_are_quick_and_counted() -> None:
    points = np.random.default_rng(0).random((11, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    chosen = select_networks([str(i) for i in range(11)], -distances, 4)
    assert len(chosen.groups) <= 4
    assert all(len(group) > 1 for group in chosen.groups)
    assert exhaustive_trainings(11) == 2047
    assert trainings(11, [("a",), ("a", "b"), ("a", "b", "c"), ("d", "e", "f"), ("d", "e", "f")]) == 66 + 2


def test_affinities_and_budgets_that_make_no_sense_are_refused() -> None:
    with pytest.raises(GroupingError, match="2 x 2 finite numbers"):
        select_networks(("a", "b"), np.zeros((3, 3)), 1)
    with pytest.raises(GroupingError, match="give 1 or more"):
        select_networks(("a", "b"), np.zeros((2, 2)), 0)
