from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unblemish.architecture_search.complexity import measure_costs
from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.found import (
    FoundArchitecture,
    fusion_alphas,
    likeliest,
    mean_gap,
    training_recipe,
    write_recipe,
)
from unblemish.networks.catalogue import create
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe

FUSION = (0.25, 0.8, 0.9)
"""Weights of the fusion module in a space of 2/1 columns: PF/F."""

OPTIONS = {"columns": "2/1", "width": 4, "gray": True, "in_place": True}


@pytest.fixture
def supernet() -> MultiScaleSupernet:
    network = create("multiscale_supernet", OPTIONS)
    assert isinstance(network, MultiScaleSupernet)
    with torch.no_grad():
        for logits, alpha in zip(network.architecture_parameters(), FUSION, strict=True):
            logits.copy_(torch.tensor([math.log(1 - alpha), math.log(alpha)]))
    return network


@pytest.fixture
def found(supernet: MultiScaleSupernet) -> FoundArchitecture:
    costs = torch.tensor([[1, 2], [3, 4], [5, 6]], dtype=torch.float64)
    return FoundArchitecture.from_supernet(supernet, costs, "latency", step=7, steps=9, seconds=1.5, seed=3)


def test_the_likeliest_modules_are_kept(found: FoundArchitecture, supernet: MultiScaleSupernet) -> None:
    assert found.architecture == "PF/F"
    assert [fusion for _, fusion in found.alphas] == pytest.approx(FUSION)
    assert [sum(pair) for pair in found.alphas] == pytest.approx([1, 1, 1])
    assert found.gap == pytest.approx((0.5 + 0.6 + 0.8) / 3)
    shape = {"width": 4, "gray": True, "residual": False, "fold": 1}
    assert found.space == {"columns": "2/1", **shape, "in_place": True}
    assert found.network == {"name": "multiscale", "options": {"architecture": "PF/F", **shape}}
    assert found.parameters == supernet.derive().parameter_count
    assert found.complexity.modules == ((1, 2), (3, 4), (5, 6))
    assert found.complexity.total == 1 + 4 + 6
    assert (found.complexity.kind, found.step, found.steps, found.seconds, found.seed) == ("latency", 7, 9, 1.5, 3)
    for name, options in (("multiscale_supernet", found.space), (found.network["name"], found.network["options"])):
        create(name, options)


def test_parameters_besides_the_columns_are_the_same_for_all(supernet: MultiScaleSupernet) -> None:
    costs = measure_costs(supernet, "parameters", 16, torch.device("cpu"))
    fixed = set()
    for architecture in ("PF/F", "FP/P"):
        letters = architecture.replace("/", "")
        with torch.no_grad():
            for logits, letter in zip(supernet.architecture_parameters(), letters, strict=True):
                logits.copy_(torch.tensor([0.0, 1.0 if letter == "F" else -1.0]))
        found = FoundArchitecture.from_supernet(supernet, costs, "parameters", step=1, steps=1, seconds=0, seed=0)
        assert found.architecture == architecture
        fixed.add(found.parameters - found.complexity.total)
    assert len(fixed) == 1


def test_no_random_number_is_drawn(supernet: MultiScaleSupernet) -> None:
    before = torch.get_rng_state()
    FoundArchitecture.from_supernet(supernet, torch.ones(3, 2), "flops", step=1, steps=1, seconds=0, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_saved_is_loaded(found: FoundArchitecture, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "found.json"
    found.save(path)
    assert FoundArchitecture.load(path) == found
    assert json.loads(path.read_text()) == found.to_dict()
    assert [one.name for one in path.parent.iterdir()] == ["found.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "PX/F"}, "is not allowed; give P"),
        ({"architecture": "PF/FF"}, "PF/FF has 4 columns, but there are 3 pairs of alphas and 3 of costs"),
        ({"alphas": [[0.5, 0.5]]}, "PF/F has 3 columns, but there are 1 pairs"),
        ({"gap": "wide"}, "gap: Input should be a valid number"),
        ({"more": 1}, "more: "),
        ({"complexity": {}}, r"complexity\.kind: Field required"),
    ],
)
def test_damage_is_named(found: FoundArchitecture, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "found.json"
    path.write_text(json.dumps(found.to_dict() | change))
    with pytest.raises(SearchError, match=rf"found\.json: .*{words}"):
        FoundArchitecture.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"none\.json: cannot be read \(No such file"):
        FoundArchitecture.load(tmp_path / "none.json")
    path = tmp_path / "torn.json"
    for content in (b'{"architecture": "P', b"\xff\xfe", b"[1]"):
        path.write_bytes(content)
        with pytest.raises(SearchError, match=r"torn\.json: holds no found architecture .*; give what a search wrote"):
            FoundArchitecture.load(path)


def test_alphas_are_told_from_other_terms_and_ordered_by_number() -> None:
    terms = {"loss": 1.0, "alpha/2.1": 0.5, "alpha/1.10": 0.6, "alpha/1.9": 0.4, "architecture/loss": 2.0}
    fusion = fusion_alphas(terms)
    assert list(fusion.items()) == [((1, 9), 0.4), ((1, 10), 0.6), ((2, 1), 0.5)]
    assert likeliest(fusion) == "PF/P"
    assert mean_gap([(0.9, 0.1), (0.5, 0.5)]) == pytest.approx(0.4)


@pytest.fixture
def search(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """The recipe of a tiny search; `training` is what differs afterwards."""

    def make(**training: object) -> Recipe:
        network = {"name": "multiscale_supernet", "options": OPTIONS, "start": "weights.safetensors"}
        part = {"warmup": 2, "training": {key.replace("__", "."): value for key, value in training.items()}}
        return recipe(network=network, search=part, data__gray=True, optimiser={"kind": "sgd", "rate": 0.025})

    return make


def test_the_recipe_of_a_training_is_the_searches_with_the_plain_network(search: Callable[..., Recipe]) -> None:
    base = search()
    made = Recipe.parse(training_recipe(base, "PF/F"), "made")
    assert made.network.name == "multiscale"
    assert made.network.options == {"architecture": "PF/F", "width": 4, "gray": True}
    assert made.network.start is None
    assert made.search is None
    assert made.purpose == "test; PF/F from scratch"
    before, now = base.flat(), made.flat()
    changed = {key for key in {*before, *now} if before.get(key) != now.get(key)}
    assert {key for key in changed if not key.startswith("search")} == {
        "purpose", "network.name", "network.options", "network.start"
    }  # fmt: skip
    create(made.network.name, made.network.options)


def test_what_differs_afterwards_is_applied_dotted_or_nested(search: Callable[..., Recipe]) -> None:
    changes = {"optimiser__rate": "1e-2", "optimiser": {"kind": "adamw"}, "steps": 9, "network__options__width": 8}
    made = Recipe.parse(training_recipe(search(**changes), "PF/F"), "made")
    assert (made.optimiser.kind, made.optimiser.rate, made.steps) == ("adamw", 0.01, 9)
    assert made.network.options == {"architecture": "PF/F", "width": 8, "gray": True}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimiser__speed": 1}, r"search\.training: .*optimiser\.speed"),
        ({"steps__of": 1}, r"search\.training: 'steps\.of': steps is a value without keys"),
        ({"search__warmup": 1}, "a search trains"),
    ],
)
def test_changes_that_are_not_right_are_named(search: Callable[..., Recipe], changes: Any, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        training_recipe(search(**changes), "PF/F")


def test_no_recipe_without_a_search_or_an_architecture(
    search: Callable[..., Recipe], recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(SearchError, match="has no part 'search'"):
        training_recipe(recipe(), "PF/F")
    with pytest.raises(SearchError, match="such as FPPF/FFFF/PFFP"):
        training_recipe(search(), "PF//F")


def test_a_recipe_is_written_with_its_command(search: Callable[..., Recipe], tmp_path: Path) -> None:
    path = tmp_path / "a run" / "train.yaml"
    content = training_recipe(search(steps=12), "PF/F")
    write_recipe(content, path)
    assert path.read_text().splitlines()[0] == f"# Command:   unblemish train '{path}'"
    assert Recipe.load(path) == Recipe.parse(content, "made")
