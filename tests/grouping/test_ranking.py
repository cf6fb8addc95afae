from __future__ import annotations

from itertools import combinations, pairwise
from math import comb

import numpy as np
import pytest

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, Problem, TableOracle
from unblemish.grouping.ranking import Ranking, largest_size, worthwhile_groups


def matrix(names: str, pairs: dict[str, float], others: float) -> np.ndarray:
    found = np.full((len(names), len(names)), others)
    for (one, other), value in pairs.items():
        i, j = names.index(one), names.index(other)
        found[i, j] = found[j, i] = value
    return found


def oracle_of(names: str, passing: list[str]) -> TableOracle:
    table = {
        group: dict.fromkeys(group, 0.0 if "".join(group) in passing else 9.0)
        for size in range(2, len(names) + 1)
        for group in combinations(names, size)
    }
    return TableOracle(tuple(names), table)


def joined(groups: tuple[Group, ...]) -> list[str]:
    return ["".join(group) for group in groups]


def test_all_groups_by_mean_distance() -> None:
    names = "abcd"
    pairs = {"ab": 1.0, "cd": 1.5, "bc": 2.0, "ad": 2.5, "ac": 3.0, "bd": 3.5}
    ranking = Ranking(tuple(names), matrix(names, pairs, 0.0))
    assert joined(ranking.of_size(1)) == ["a", "b", "c", "d"]
    assert joined(ranking.of_size(2)) == ["ab", "cd", "bc", "ad", "ac", "bd"]
    assert joined(ranking.of_size(3)) == ["abc", "acd", "bcd", "abd"]  # 2.0, 7/3 twice (rounded the same), 7/3
    assert joined(ranking.of_size(4)) == ["abcd"]
    assert ranking.mean_distance(("a", "b", "c")) == pytest.approx(2.0)


def test_near_means_are_ordered_by_variance() -> None:
    names = "abcd"
    # abc: mean 2.02 and no variance; abd: mean 1.98, but its distances differ.
    pairs = {"ab": 2.02, "ac": 2.02, "bc": 2.02, "ad": 1.0, "bd": 2.92}
    ranking = Ranking(tuple(names), matrix(names, pairs, 9.0))
    assert joined(ranking.of_size(3))[:2] == ["abc", "abd"]
    pairs["bd"] = 2.5  # abd: mean 1.84, no longer near
    ranking = Ranking(tuple(names), matrix(names, pairs, 9.0))
    assert joined(ranking.of_size(3))[:2] == ["abd", "abc"]


def test_every_group_is_ranked_once() -> None:
    draw = np.random.default_rng(0).random((11, 11))
    ranking = Ranking(tuple("abcdefghijk"), draw + draw.T)
    for size in range(1, 12):
        assert len(set(ranking.of_size(size))) == len(ranking.of_size(size)) == comb(11, size)
    means = [ranking.mean_distance(group) for group in ranking.of_size(4)]
    assert all(later >= earlier - 0.1 - 1e-9 for earlier, later in pairwise(means))


def test_the_largest_size_is_found_by_halving() -> None:
    names = "abcdefgh"
    ranking = Ranking(tuple(names), matrix(names, {}, 1.0))
    problem = Problem(oracle_of(names, ["ab", "abc", "abcd", "abcde"]), 0.7)
    assert largest_size(problem, ranking) == 5
    assert joined(tuple(trial.group for trial in problem.trace)) == ["abcde", "abcdefg", "abcdef"]
    assert largest_size(Problem(oracle_of(names, []), 0.7), ranking) == 1


def test_each_size_is_kept_up_to_its_last_passing_group() -> None:
    names = "abcdef"
    order = {pair: 1 + number / 10 for number, pair in enumerate(map("".join, combinations(names, 2)))}
    ranking = Ranking(tuple(names), matrix(names, order, 0.0))
    pairs = joined(ranking.of_size(2))
    triples = joined(ranking.of_size(3))
    problem = Problem(oracle_of(names, pairs[:7] + triples[:20]), 0.7)
    kept = worthwhile_groups(problem, ranking, 3)
    assert {size: len(groups) for size, groups in kept.items()} == {1: 6, 2: 7, 3: 20}
    assert joined(kept[2]) == pairs[:7]
    assert len(problem.trace) <= 4 + 5
    kept = worthwhile_groups(Problem(oracle_of(names, []), 0.7), ranking, 3)
    assert {size: len(groups) for size, groups in kept.items()} == {1: 6, 2: 0, 3: 0}


def test_sizes_advance_side_by_side() -> None:
    asked: list[list[Group]] = []

    class Watched(TableOracle):
        def _measure(self, groups):
            asked.append(list(groups))
            return super()._measure(groups)

    names = "abcdef"
    ranking = Ranking(tuple(names), matrix(names, {}, 1.0))
    worthwhile_groups(Problem(Watched(tuple(names), {}, unknown=0.0), 0.7), ranking, 4)
    assert [sorted(map(len, batch)) for batch in asked[:2]] == [[2, 3, 4], [2, 3, 4]]


def test_only_named_groups_are_ranked_where_they_are_named() -> None:
    names = "abcd"
    ranking = Ranking(tuple(names), matrix(names, {"cd": 0.5}, 1.0), groups=[("b", "a"), ("c", "d")])
    assert joined(ranking.of_size(2)) == ["cd", "ab"]
    assert ranking.of_size(3) == ()
    assert len(ranking.of_size(1)) == 4
    assert largest_size(Problem(oracle_of(names, ["ab", "cd"]), 0.7), ranking) == 2
    assert worthwhile_groups(Problem(oracle_of(names, ["ab", "cd"]), 0.7), ranking, 3)[3] == ()


def test_distances_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GroupingError, match="do not fit 3"):
        Ranking(("a", "b", "c"), np.zeros((2, 2)))
    with pytest.raises(GroupingError, match="not symmetric"):
        Ranking(("a", "b"), np.array([[0, 1.0], [1.1, 0]]))
    with pytest.raises(GroupingError, match="missing or infinite"):
        Ranking(("a", "b"), np.array([[0, np.nan], [np.nan, 0]]))
    given = np.full((2, 2), 3.0)
    assert Ranking(("a", "b"), given).distances.diagonal().tolist() == [0, 0]
    assert given.min() == 3.0
