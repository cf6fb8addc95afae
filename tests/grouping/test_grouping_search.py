from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, Problem, TableOracle
from unblemish.grouping.ranking import Ranking
from unblemish.grouping.search import GroupingSearch, search

Make = Callable[..., Any]


def every_partition(names: Group) -> list[list[Group]]:
    if not names:
        return [[]]
    first, rest = names[0], names[1:]
    found = []
    for size in range(len(rest) + 1):
        for others in combinations(rest, size):
            left = tuple(name for name in rest if name not in others)
            found += [[(first, *others), *tail] for tail in every_partition(left)]
    return found


def best_count(names: Group, oracle: TableOracle, threshold: float) -> int:
    return min(
        len(partition)
        for partition in every_partition(names)
        if all(len(group) == 1 or oracle.drop(group) <= threshold for group in partition)
    )


@pytest.mark.parametrize("threshold", [0.0, 0.4, 0.7, 1.0, 9.0])
@pytest.mark.parametrize("seed", range(3))
def test_with_drops_that_follow_distances_the_count_is_the_least(synthetic: Make, seed: int, threshold: float) -> None:
    names, distances, oracle = synthetic(7, seed)
    problem = Problem(oracle, threshold)
    found = search(problem, Ranking(names, distances))
    assert sorted(name for group in found.first for name in group) == list(names)
    assert all(oracle.drop(group) <= threshold for group in found.first)
    # Rounding the mean distances lets a few groups beyond the last passing one go: one group more, seldom.
    assert len(found.first) - best_count(names, synthetic(7, seed)[2], threshold) in (0, 1)


def test_the_whole_set_is_one_group_where_it_passes() -> None:
    names = tuple("abcde")
    problem = Problem(TableOracle(names, {}, unknown=0.5), 0.5)
    found = search(problem, Ranking(names, np.ones((5, 5))))
    assert found.first == (names,)
    assert list(found.solutions()) == [(names,)]
    assert found.trainings == 5 + 3  # groups of three, four and five: smaller sizes are not ranked by training


def test_everything_stays_alone_where_nothing_passes() -> None:
    names = tuple("abcde")
    found = search(Problem(TableOracle(names, {}, unknown=0.5), 0.4), Ranking(names, np.ones((5, 5))))
    assert found.first == tuple((name,) for name in names)
    assert found.largest == 1
    alone = search(Problem(TableOracle(["a"], {}), 0.4), Ranking(["a"], np.zeros((1, 1))))
    assert alone.first == (("a",),)
    assert alone.trainings == 1


def test_groups_that_fail_in_spite_of_their_rank_are_caught(synthetic: Make) -> None:
    failures = 0
    for seed in range(6):
        names, distances, oracle = synthetic(8, seed, noise=0.3)
        problem = Problem(oracle, 0.7)
        found = search(problem, Ranking(names, distances))
        assert all(oracle.drop(group) <= 0.7 for group in found.first)
        failures += sum(trial.stage == "verification" and not trial.passed for trial in problem.trace)
    assert failures > 0


def test_all_solutions_are_the_passing_partitions_of_the_space() -> None:
    names = tuple("abcdef")
    draw = np.random.default_rng(1)
    space = {
        size: tuple(group for group in combinations(names, size) if size == 1 or draw.random() < 0.8) for size in (1, 2)
    }
    table = {g: dict.fromkeys(g, float(draw.random() < 0.4)) for groups in space.values() for g in groups}
    oracle = TableOracle(names, table)
    found = GroupingSearch(Problem(oracle, 0.5), space)
    allowed = {g for groups in space.values() for g in groups if len(g) == 1 or table[g][g[0]] < 0.5}
    partitions = [frozenset(p) for p in every_partition(names) if set(p) <= allowed]
    least = min(map(len, partitions))
    solutions = list(found.solutions())
    assert solutions[0] == found.first
    assert sorted(map(sorted, solutions)) == sorted(sorted(p) for p in partitions if len(p) == least)
    assert len(solutions) > 1


def test_larger_and_more_similar_groups_come_first() -> None:
    names = tuple("abcd")
    space = {1: tuple((n,) for n in names), 2: (("b", "c"), ("a", "d"), ("a", "b"), ("c", "d")), 3: (("b", "c", "d"),)}
    oracle = TableOracle(names, {("b", "c", "d"): {"b": 9.0, "c": 0.0, "d": 0.0}}, unknown=0.0)
    found = GroupingSearch(Problem(oracle, 0.7), space)
    assert found.first == (("b", "c"), ("a", "d"))
    assert list(found.solutions()) == [found.first, (("a", "b"), ("c", "d"))]


def test_the_result_can_be_written_down(synthetic: Make) -> None:
    names, distances, oracle = synthetic(6)
    problem = Problem(oracle, 0.7)
    found = search(problem, Ranking(names, distances))
    written = found.to_dict()
    assert written["groups"] == [list(group) for group in found.first]
    assert written["drops"] == [oracle.drops(group) for group in found.first]
    assert written["groups_worth_a_look"]["1"] == 6
    assert written["trainings"] == 6 + len(written["trace"])
    assert written["trace"][-1]["trainings"] == found.trainings


@pytest.mark.parametrize(("threshold", "count"), [(0.4, 11), (1.0, 11), (0.7, 13), (1e9, 15)])
def test_many_degradations_take_few_trainings(synthetic: Make, threshold: float, count: int) -> None:
    names, distances, oracle = synthetic(count)
    found = search(Problem(oracle, threshold), Ranking(names, distances))
    assert found.trainings <= count + 60
    assert all(oracle.drop(group) <= threshold for group in found.first if len(group) > 1)


def test_fifteen_degradations_with_a_permissive_threshold_take_seconds() -> None:
    names = tuple("abcdefghijklmno")
    draw = np.random.default_rng(0).random((15, 15))
    began = time.process_time()

    class AlmostAll(TableOracle):
        """Groups of up to eight pass, one in ten of the larger ones does not."""

        def _measure(self, groups):
            return [dict.fromkeys(g, 9.0 if len(g) > 8 or sum(map(ord, g)) % 10 == 0 else 0.0) for g in groups]

    problem = Problem(AlmostAll(names, {}), 0.7)
    found = search(problem, Ranking(names, draw + draw.T))
    assert len(found.first) in (2, 3)
    assert found.trainings < 200
    assert time.process_time() - began < 10


def test_other_degradations_in_distances_and_drops_are_refused() -> None:
    problem = Problem(TableOracle(("a", "b"), {}), 0.7)
    with pytest.raises(GroupingError, match="give both in one order"):
        search(problem, Ranking(("b", "a"), np.ones((2, 2))))
