"""The recipes in recipes/searches: each is right, searches at tiny size, and trains what it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.architecture_search.found import training_recipe
from unblemish.architecture_search.outcome import Outcome
from unblemish.restoration.methods import build_task
from unblemish.training.recipe import Recipe
from unblemish.training.run import train

SEARCHES = sorted((Path(__file__).parents[1] / "recipes/searches").glob("*.yaml"))
every_search = pytest.mark.parametrize("path", SEARCHES, ids=lambda path: path.stem)


@every_search
def test_it_searches_and_trains_what_it_finds(path: Path, photos: Path, tmp_path: Path) -> None:
    pairs = [
        f"data.folder={photos}", "data.patch=32", "steps=2", "batch=2", "search.warmup=1", "search.latency_side=32",
        "network.options.width=2", "compile=false", "search.training.steps=2", "search.training.optimiser.warmup=0",
        "validation.pictures=1", "validation.crop=32", "validation.folder=null", "search.folder=null",
    ]  # fmt: skip
    made = Recipe.load(path, pairs)
    assert train(made, tmp_path / "search", build=build_task, accelerator="cpu").step == 2
    found = Outcome.load(tmp_path / "search", made).found
    made = Recipe.parse(training_recipe(made, found.architecture), "train.yaml")
    assert train(made, tmp_path / "train", build=build_task, accelerator="cpu").step == 2


@every_search
def test_its_header_tells_what_to_do(path: Path) -> None:
    header = path.read_text().partition("\npurpose:")[0]
    command = f"unblemish search recipes/searches/{path.name} data.folder="
    for word in ("Purpose:", "Command:", "Hardware:", "Time:", "Memory:", "Expected:", command):
        assert word in header
    assert "TIME" not in header


def test_the_published_one_is_the_papers() -> None:
    """Sec. 4.1 of the paper; where it is silent, its released code."""
    made = Recipe.load(Path(__file__).parents[1] / "recipes/searches/clearer.yaml")
    assert made.search
    flat = made.flat()
    wanted = {"steps": 10_000, "batch": 32, "data.patch": 64, "optimiser.rate": 0.025, "optimiser.momentum": 0.9}
    wanted |= {"optimiser.weight_decay": 3e-4, "optimiser.clip": 5.0, "search.warmup": 1000, "search.rate": 3e-4}
    wanted |= {"search.weight_decay": 1e-3, "search.architecture_weight": 0.01, "search.complexity_weight": 0.0}
    assert {key: flat[key] for key in wanted} == wanted
    assert made.optimiser.rate * made.optimiser.floor == pytest.approx(0.001)
    trained = Recipe.parse(training_recipe(made, "FPPF/FFFF/PFFP"), "train.yaml")
    assert (trained.steps, trained.batch, trained.optimiser.rate, trained.optimiser.floor) == (100_000, 32, 0.01, 0.0)
    assert (trained.optimiser.kind, trained.optimiser.weight_decay, trained.task.loss) == ("adamw", 0.0, "mse")
