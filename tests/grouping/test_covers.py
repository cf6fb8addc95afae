from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest

from unblemish.grouping.covers import Covers


def every_partition(things: list[int]) -> list[list[int]]:
    """All partitions of the set of these bits, as lists of masks."""
    if not things:
        return [[]]
    first, rest = things[0], things[1:]
    found = []
    for size in range(len(rest) + 1):
        for others in combinations(rest, size):
            left = [thing for thing in rest if thing not in others]
            found += [[sum((first, *others)), *tail] for tail in every_partition(left)]
    return found


@pytest.mark.parametrize("seed", range(8))
def test_finds_the_partitions_of_plain_enumeration_in_order_of_preference(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count, singles = 6, [1 << bit for bit in range(6)]
    larger = [mask for mask in range(1, 64) if mask.bit_count() > 1 and draw.random() < 0.4]
    groups = sorted(larger, key=lambda mask: (-mask.bit_count(), draw.random())) + singles
    place = {mask: number for number, mask in enumerate(groups)}
    for parts in range(1, 7):
        possible = [p for p in every_partition(singles) if len(p) <= parts and all(mask in place for mask in p)]
        expected = sorted(sorted(place[mask] for mask in p) for p in possible)
        assert [[place[mask] for mask in p] for p in Covers(count, groups).find(parts)] == expected


@pytest.mark.parametrize("seed", range(5))
def test_removing_groups_meanwhile_leaves_exactly_the_partitions_without_them(seed: int) -> None:
    draw = np.random.default_rng(seed)
    groups = sorted(range(1, 64), key=lambda mask: (-mask.bit_count(), draw.random()))
    bad = {mask for mask in groups if mask.bit_count() > 1 and draw.random() < 0.6}
    covers, found = Covers(6, groups), []
    for partition in covers.find(4):
        failing = next((mask for mask in partition if mask in bad), None)
        if failing is None:
            found.append(partition)
        else:
            covers.remove(failing)
    assert found == list(Covers(6, [mask for mask in groups if mask not in bad]).find(4))
    assert found


def test_fifteen_things_with_every_group_allowed_take_no_time() -> None:
    began = time.process_time()
    groups = sorted(range(1, 1 << 15), key=lambda mask: (-mask.bit_count(), mask))
    assert next(Covers(15, groups).find(8)) == ((1 << 15) - 1,)
    seven = [mask for mask in groups if mask.bit_count() <= 7]
    covers = Covers(15, seven)
    assert list(covers.find(2)) == []
    assert [mask.bit_count() for mask in next(covers.find(3))] == [7, 7, 1]
    assert time.process_time() - began < 5


def test_fifteen_things_without_a_solution_take_little_time() -> None:
    """Groups of up to five; at most one of the things 1 to 4 stands with thing 0, the others stand alone."""
    began = time.process_time()
    groups = [
        mask for mask in range(1, 1 << 15)
        if mask.bit_count() <= 5 and (mask & 0b11110).bit_count() <= (1 if mask & 1 else 0)
    ] + [1 << bit for bit in range(1, 5)]  # fmt: skip
    covers = Covers(15, sorted(groups, key=lambda mask: -mask.bit_count()))
    assert next(covers.find(5), None) is None
    found = next(covers.find(6))
    assert sum(found) == (1 << 15) - 1
    assert time.process_time() - began < 5
