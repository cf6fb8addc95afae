from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unblemish.grouping import candidate
from unblemish.grouping.errors import GroupingError, SearchStoppedError
from unblemish.grouping.problem import Group, Problem
from unblemish.grouping.ranking import Ranking
from unblemish.grouping.search import search
from unblemish.grouping.trained_oracle import TrainedOracle
from unblemish.training.callbacks import Journal
from unblemish.training.recipe import Recipe

DISTANCES = np.array([[0, 2.0, 3.0], [2.0, 0, 4.0], [3.0, 4.0, 0]])


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Group]:
    """Every training that really runs."""
    runs: list[Group] = []
    real = candidate.train

    def counted(recipe: Recipe, *words: object, **options: object) -> object:
        runs.append(recipe.degradations.names)
        return real(recipe, *words, **options)

    monkeypatch.setattr(candidate, "train", counted)
    return runs


def test_a_whole_search_trains_each_group_once(recipe: Recipe, tmp_path: Path, trained: list[Group]) -> None:
    told: list[Sequence[Group]] = []
    oracle = TrainedOracle(recipe, 2, tmp_path, accelerator="cpu", on_training=told.append)
    found = search(Problem(oracle, 50.0), Ranking(oracle.names, DISTANCES))
    assert found.first == (oracle.names,)
    singles = [(name,) for name in oracle.names]
    # Three at once fail to be asked before two: the largest size is searched by halving.
    assert trained[:3] == singles
    assert len(trained) == len(set(trained)) == found.trainings
    assert [list(groups) for groups in told] == [[group] for group in trained]
    assert oracle.trained == trained
    assert len(list(tmp_path.iterdir())) == len(trained)
    upper, mixed = oracle.scores([("jpeg",), oracle.names])
    assert oracle.drops(oracle.names)["jpeg"] == pytest.approx(upper["jpeg"] - mixed["jpeg"])
    assert "1 held-out pictures" in oracle.protocol()


def test_an_interrupted_search_goes_on_where_it_was(
    recipe: Recipe, tmp_path: Path, trained: list[Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def third(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:  # the first step of the second candidate
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "on_step", third)
        first = TrainedOracle(recipe, 2, tmp_path, accelerator="cpu")
        with pytest.raises(SearchStoppedError, match="gaussian_noise after 1 of 2 steps"):
            search(Problem(first, 0.7), Ranking(first.names, DISTANCES))
    assert trained == [("jpeg",), ("gaussian_noise",)]
    again = TrainedOracle(recipe, 2, tmp_path, accelerator="cpu")
    found = search(Problem(again, 0.7), Ranking(again.names, DISTANCES))
    assert trained.count(("jpeg",)) == 1
    assert ("jpeg",) not in again.trained
    assert trained.count(("gaussian_noise",)) == 2  # its second half
    ran = len(trained)
    third_time = TrainedOracle(recipe, 2, tmp_path, accelerator="cpu")
    assert search(Problem(third_time, 0.7), Ranking(again.names, DISTANCES)).to_dict() == found.to_dict()
    assert (len(trained), third_time.trained) == (ran, [])
    assert third_time.trainings == found.trainings


def test_candidates_go_to_the_backend_in_batches_of_its_workers(recipe: Recipe, tmp_path: Path) -> None:
    class Pretended:
        workers = 2

        def __init__(self) -> None:
            self.batches: list[list[Group]] = []

        def map(self, candidates):
            self.batches.append([c.recipe.degradations.names for c in candidates])
            return [dict.fromkeys(c.recipe.degradations.names, 30.0 - len(names))
                    for c in candidates for names in [c.recipe.degradations.names]]  # fmt: skip

    backend = Pretended()
    oracle = TrainedOracle(recipe, 2, tmp_path, backend=backend)
    assert oracle.workers == 2
    assert oracle.drops(("jpeg", "ringing")) == {"jpeg": 1.0, "ringing": 1.0}
    assert backend.batches == [[("jpeg",), ("gaussian_noise",)], [("ringing",), ("jpeg", "ringing")]]
    assert oracle.drop(("jpeg", "ringing")) == 1.0
    assert len(backend.batches) == 2


def test_mistakes_are_told_before_any_training(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(GroupingError, match="give 1 or more"):
        TrainedOracle(recipe, 0, tmp_path)
    none = recipe.model_copy(update={"degradations": recipe.degradations.model_copy(update={"names": ()})})
    with pytest.raises(GroupingError, match="0 degradations cannot be grouped"):
        TrainedOracle(none, 2, tmp_path)
    missing = recipe.model_copy(update={"data": recipe.data.model_copy(update={"folder": tmp_path / "nowhere"})})
    with pytest.raises(Exception, match="nowhere: no such folder"):
        TrainedOracle(missing, 2, tmp_path)
    with pytest.raises(GroupingError, match="ask for scores first"):
        TrainedOracle(recipe, 2, tmp_path).protocol()
