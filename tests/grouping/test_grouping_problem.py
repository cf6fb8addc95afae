from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, Oracle, Problem, TableOracle, Trial, canonical, check_names

NAMES = ("a", "b", "c")
TABLE = {("b", "a"): {"a": 0.3, "b": -0.2}, ("b", "c"): {"b": 0.7, "c": 0.1}}


def test_a_drop_is_the_worst_members_and_each_group_is_trained_once() -> None:
    oracle = TableOracle(NAMES, TABLE, unknown=5.0)
    assert oracle.trainings == 3
    assert oracle.drops(("a", "b")) == {"a": 0.3, "b": -0.2}
    assert oracle.drop(("a", "b")) == 0.3
    assert oracle.trainings == 4
    assert oracle.drops(NAMES) == {"a": 5.0, "b": 5.0, "c": 5.0}
    assert oracle.drops(("c",)) == {"c": 0.0}
    assert oracle.measured == (("a", "b"), NAMES)
    assert oracle.trainings == 5


def test_the_threshold_itself_passes_and_everything_asked_is_traced() -> None:
    told: list[Trial] = []
    problem = Problem(TableOracle(NAMES, TABLE, unknown=math.inf), 0.7, told.append)
    assert problem.passes(("b", "c"), "x")
    assert not problem.passes(("a", "c"), "y")
    assert problem.passes(("b", "c"), "again: no new trial")
    assert problem.passes(("a",), "single ones are not asked about")
    assert told == problem.trace == [
        Trial("x", ("b", "c"), 0.7, True, 4), Trial("y", ("a", "c"), math.inf, False, 5),
    ]  # fmt: skip


@pytest.mark.parametrize(("workers", "asked"), [(1, 2), (2, 2), (3, 3)])
def test_a_partition_is_judged_in_batches_and_no_further_than_needed(workers: int, asked: int) -> None:
    class Second(Oracle):
        def _measure(self, groups: Sequence[Group]) -> list[dict[str, float]]:
            return [dict.fromkeys(group, 9.0 if "c" in group else 0.0) for group in groups]

    oracle = Second("abcdefg")
    oracle.workers = workers
    problem = Problem(oracle, 0.7)
    assert problem.all_pass([("a", "b"), ("c", "d"), ("e", "f"), ("g",)], "x") == ("c", "d")
    assert len(oracle.measured) == asked
    assert problem.all_pass([("a", "b"), ("e", "f"), ("g",)], "x") is None


def test_members_are_put_in_the_order_of_the_names() -> None:
    assert canonical(["c", "a"], NAMES) == ("a", "c")
    with pytest.raises(GroupingError, match="z: not among the degradations"):
        canonical(["z"], NAMES)


def test_mistakes_say_what_to_do() -> None:
    with pytest.raises(GroupingError, match="named twice"):
        check_names(["a", "a"])
    for names in ([], list("abcdefghijklmnopq")):
        with pytest.raises(GroupingError, match="name 1 to 16"):
            check_names(names)
    with pytest.raises(GroupingError, match="no drops of a \\+ c; add them"):
        TableOracle(NAMES, TABLE).drops(("a", "c"))
    with pytest.raises(GroupingError, match="name other degradations"):
        TableOracle(NAMES, {("a", "b"): {"a": 1.0}})
    for threshold in (-0.1, math.nan, math.inf):
        with pytest.raises(GroupingError, match="give 0 or more"):
            Problem(TableOracle(NAMES, TABLE), threshold)
