from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from unblemish.studies.study import Study, budget, chosen, plan
from unblemish.training.errors import TrainingError
from unblemish.training.lifelong_part import GrowPart
from unblemish.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
CONTENT: dict[str, Any] = {
    "purpose": "which loss?",
    "recipe": "recipes/tiny.yaml",
    "changes": {"steps": 5, "optimiser.rate": "1e-4"},
    "seeds": [3, 4],
    "reference": "l1",
    "arms": {"l1": {}, "psnr": {"task.loss": "psnr"}, "wide": {"network.options": {"blocks": 1, "width": 12}}},
    "protocols": ["y_crop4"],
}


@pytest.fixture
def load(tmp_path: Path, recipe: Callable[..., Recipe]) -> Callable[..., Study]:
    """Writes a recipe and a study with changes, and loads the study."""
    content = recipe().model_dump(mode="json", exclude_none=True)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.yaml").write_text(yaml.safe_dump(content))

    def make(**changes: Any) -> Study:
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**CONTENT, **changes}))
        return Study.load(path)

    return make


def test_arms_differ_in_what_the_study_says_and_in_nothing_else(load: Callable[..., Study], tmp_path: Path) -> None:
    runs = plan(load(), tmp_path / "runs", ["batch=1", "validation.every=2"])
    assert [(run.arm, run.seed) for run in runs] == [(arm, seed) for seed in (3, 4) for arm in ("l1", "psnr", "wide")]
    assert runs[1].folder == tmp_path / "runs" / "psnr_seed3"
    flat = [run.recipe.flat() for run in runs]
    for run, values in zip(runs, flat, strict=True):
        assert values["seed"] == run.seed
        assert (values["steps"], values["batch"], values["validation.every"]) == (5, 1, 2)
        assert values["optimiser.rate"] == 1e-4
    different = {key for key in flat[0] if flat[0][key] != flat[1][key]}
    assert different == {"task.loss", "purpose"}
    assert flat[2]["network.options"] == {"blocks": 1, "width": 12}
    assert budget(runs[0].recipe) == {"steps": 5, "batch": 1, "data.patch": 32}


def test_an_arm_may_have_a_part_that_the_recipe_lacks(load: Callable[..., Study], tmp_path: Path) -> None:
    arms = {"none": {}, "spn": {"contrast.method": "spn", "contrast.steps": [2, 4]}}
    none, spn = plan(load(arms=arms, reference="none", seeds=[0]), tmp_path)
    assert none.recipe.contrast is None
    assert spn.recipe.flat()["contrast.steps"] == [2, 4]


def test_runs_are_chosen_by_arm_and_seed(load: Callable[..., Study], tmp_path: Path) -> None:
    runs = plan(load(), tmp_path)
    assert chosen(runs, [], []) == runs
    assert [run.folder.name for run in chosen(runs, ["psnr", "l1"], [4])] == ["l1_seed4", "psnr_seed4"]
    with pytest.raises(TrainingError, match="no arm huber; it has l1, psnr, wide"):
        chosen(runs, ["huber"], [])
    with pytest.raises(TrainingError, match="no seed 5; it has 3, 4"):
        chosen(runs, [], [5])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 3}, "seed: Extra inputs"),
        ({"reference": "none"}, "reference .none. must be one of the arms: l1, psnr, wide"),
        ({"arms": {"l1": {"seed": 3}}}, "l1: seed is set for every run"),
        ({"arms": {"l1": {}, "../up": {}}}, "should match pattern"),
        ({"seeds": []}, "seeds: Tuple should have at least 1 item"),
        ({"seeds": [1, 1]}, "seeds: name each once"),
        ({"metrics": ["psnrr"]}, "metrics: psnrr not known; choose from psnr, ssim"),
        ({"protocols": ["luma"]}, "protocols: luma not known; choose from rgb, y"),
    ],
)
def test_mistakes_in_a_study_are_named(load: Callable[..., Study], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        load(**changes)


@pytest.mark.parametrize(
    ("changes", "overrides", "message"),
    [
        ({"arms": {"l1": {"task.los": "l1"}}}, [], r"arm l1: .*task.los: Extra inputs"),
        ({}, ["seed=5"], "choose seeds with --seed"),
        ({}, ["task.loss=l1"], "arm psnr sets task.loss itself"),
        ({}, ["task={loss: l1}"], "arm psnr sets task.loss itself"),
        ({}, ["network.options.width=3"], "arm wide sets network.options itself"),
        ({"arms": {"l1": {}, "half": {"degradations.shrink": 2}}}, [], "agree in degradations.shrink"),
        ({"recipe": "none.yaml"}, [], "none.yaml: cannot read the recipe"),
    ],
)
def test_mistakes_in_arms_show_before_any_training(
    load: Callable[..., Study], tmp_path: Path, changes: dict[str, Any], overrides: list[str], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        plan(load(**changes), tmp_path, overrides)


def test_files_that_are_no_study_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    with pytest.raises(TrainingError, match="cannot read the study"):
        Study.load(path)
    for content in ("a: [", "- a list"):
        path.write_text(content)
        with pytest.raises(TrainingError, match=r"study\.yaml"):
            Study.load(path)


def test_a_run_may_start_from_another_of_its_seed(tmp_path: Path) -> None:
    content = {
        "purpose": "test",
        "recipe": str(ROOT / "recipes/lira_grow.yaml"),
        "changes": {"lifelong.old": "runs/base_seed{seed}/final.safetensors"},
        "reference": "a",
        "arms": {"a": {}, "b": {"network.start": "warm_seed{seed}.safetensors"}},
        "seeds": [3, 4],
    }
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(content))
    found = {run.folder.name: run.recipe for run in plan(Study.load(file), tmp_path)}
    for seed in (3, 4):
        part = found[f"a_seed{seed}"].lifelong
        assert isinstance(part, GrowPart)
        assert str(part.old) == f"runs/base_seed{seed}/final.safetensors"
        assert str(found[f"b_seed{seed}"].network.start) == f"warm_seed{seed}.safetensors"
