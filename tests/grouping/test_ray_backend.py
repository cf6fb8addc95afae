from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from unblemish.grouping import ray_backend
from unblemish.grouping.candidate import Candidate, derive
from unblemish.grouping.errors import GroupingError
from unblemish.grouping.ray_backend import RayBackend
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe


class PretendedError(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__("a long traceback")
        self.cause = cause


class PretendedRay(ModuleType):
    """As much of Ray as the backend uses; remote calls run at once."""

    def __init__(self, resources: dict[str, float]) -> None:
        super().__init__("ray")
        self.started: list[dict[str, Any]] = []
        self.needs: list[dict[str, int]] = []
        self.resources = resources
        self.exceptions = SimpleNamespace(RayTaskError=PretendedError)

    def is_initialized(self) -> bool:
        return bool(self.started)

    def init(self, **options: Any) -> None:
        self.started.append(options)

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **needs: int) -> Any:
        self.needs.append(needs)
        return lambda function: SimpleNamespace(remote=lambda *words: (function, words))

    def get(self, reference: Any) -> Any:
        function, words = reference
        try:
            return function(*words)
        except TrainingError as error:
            raise PretendedError(error) from error


@pytest.mark.parametrize(
    ("resources", "workers", "needs"),
    [({"CPU": 8.0}, 8, {"num_cpus": 1}), ({"CPU": 8.0, "GPU": 2.0}, 2, {"num_gpus": 1})],
)
def test_one_candidate_a_device(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, tmp_path: Path, resources: dict, workers: int, needs: dict
) -> None:
    ray = PretendedRay(resources)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_backend, "carry_out", lambda c: dict.fromkeys(c.recipe.degradations.names, 30.0))
    backend, _ = RayBackend(), RayBackend()
    assert len(ray.started) == 1
    assert backend.workers == workers
    groups = [("jpeg",), ("jpeg", "ringing")]
    found = backend.map([Candidate(derive(recipe, group, 2), tmp_path) for group in groups])
    assert list(found) == [{"jpeg": 30.0}, {"jpeg": 30.0, "ringing": 30.0}]
    assert ray.needs == [needs]


def test_a_failure_is_told_without_its_traceback(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, tmp_path: Path
) -> None:
    def fail(_: Candidate) -> dict[str, float]:
        raise TrainingError("the disk is full; free space")

    monkeypatch.setitem(sys.modules, "ray", PretendedRay({"CPU": 2.0}))
    monkeypatch.setattr(ray_backend, "carry_out", fail)
    with pytest.raises(GroupingError, match=r"^a candidate failed: the disk is full; free space$"):
        list(RayBackend().map([Candidate(recipe, tmp_path)]))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GroupingError, match=r"unblemish\[ray\]"):
        RayBackend()
