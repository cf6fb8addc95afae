from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from unblemish.pictures.pairs import Pair
from unblemish.training.errors import TrainingError
from unblemish.training.holding_out import hold_out, hold_out_scenes, smallest


def frames(scenes: int, each: int) -> list[Pair]:
    """Pairs "0/0", "0/1" and so on, without files."""
    return [Pair(f"{scene}/{frame}", None, Path("x")) for scene in range(scenes) for frame in range(each)]


def test_hold_out_takes_the_smallest_hashes_in_any_order() -> None:
    paths = [Path(f"folder/{n}.png") for n in range(50)]
    kept, held = hold_out(paths, 10)
    assert sorted([*kept, *held]) == sorted(paths)
    digest = {path: hashlib.sha256(path.name.encode()).digest() for path in paths}
    assert max(digest[p] for p in held) < min(digest[p] for p in kept)
    assert set(hold_out(paths[::-1], 10)[1]) == set(held)
    assert [p.name for p in hold_out([Path("elsewhere", p.name) for p in paths], 10)[1]] == [p.name for p in held]


def test_hold_out_changes_little_when_pictures_are_added() -> None:
    paths = [Path(f"{n}.png") for n in range(50)]
    added = [Path(f"new{n}.png") for n in range(5)]
    before, after = set(hold_out(paths, 10)[1]), set(hold_out([*added, *paths], 10)[1])
    assert len(after) == 10
    assert after - before <= set(added)


def test_holding_out_everything_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"3 pictures are too few to hold out 3"):
        hold_out([Path("a"), Path("b"), Path("c")], 3)


def test_whole_scenes_are_held_out_until_they_hold_enough() -> None:
    pairs = frames(8, 5)
    kept, held = hold_out_scenes(pairs, 8)
    scenes = sorted({pair.scene for pair in pairs}, key=lambda name: hashlib.sha256(name.encode()).digest())
    assert {pair.scene for pair in held} == set(scenes[:2])
    assert {pair.scene for pair in kept} == set(scenes[2:])
    assert [*kept, *held] == sorted(pairs, key=lambda pair: pair in held)
    assert hold_out_scenes(pairs[::-1], 8)[1] == held[::-1]


def test_one_scene_always_stays() -> None:
    kept, held = hold_out_scenes(frames(3, 4), 100)
    assert (len(kept), len(held)) == (4, 8)


def test_a_single_scene_and_pictures_are_split_one_by_one() -> None:
    assert hold_out_scenes(frames(1, 9), 4) == hold_out(frames(1, 9), 4)
    paths = [Path(f"{folder}/{n}.png") for folder in "ab" for n in range(5)]
    assert hold_out_scenes(paths, 4) == hold_out(paths, 4)
    with pytest.raises(TrainingError, match="2 pictures are too few"):
        hold_out_scenes(frames(1, 2), 2)


def test_chosen_pairs_are_of_several_scenes_in_their_order() -> None:
    pairs = frames(2, 50)
    chosen = smallest(pairs, 12)
    assert len({pair.scene for pair in chosen}) == 2
    assert chosen == [pair for pair in pairs if pair in chosen]
    assert smallest(pairs, 200) == pairs
