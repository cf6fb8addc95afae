"""The studies in recipes/studies: each is right, and runs at tiny size."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_described, save_weights
from unblemish.restoration.methods import build_task
from unblemish.studies.runs import carry_out, finished
from unblemish.studies.study import Study, plan
from unblemish.training.fit import FINAL

STUDIES = sorted((Path(__file__).parents[1] / "recipes/studies").glob("*.yaml"))
STAGES = [path for path in STUDIES if path.stem.startswith("lira_")]
"""Studies that build on each other; tests/test_lira_studies.py runs them."""

every_study = pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)


@every_study
def test_its_arms_are_recipes_of_equal_budget_unless_called_longer(path: Path, tmp_path: Path) -> None:
    study = Study.load(path)
    runs = plan(study, tmp_path)
    assert len(runs) == len(study.arms) * len(study.seeds) >= (2 if path in STAGES else 4)
    equal = [run for run in runs if not run.arm.endswith("_longer") and not run.recipe.golf]
    assert len({(run.recipe.steps, run.recipe.batch, run.recipe.data.patch) for run in equal}) == 1
    assert all(run.recipe.steps < equal[0].recipe.steps for run in runs if run.recipe.golf)  # F has had the rest
    assert study.arms[study.reference] == {}


@pytest.mark.parametrize("path", [path for path in STUDIES if path not in STAGES], ids=lambda path: path.stem)
def test_it_runs(path: Path, photos: Path, tmp_path: Path) -> None:
    """One step of the reference, and of the arm that it is there for."""
    tiny = [
        f"data.folder={photos}", "steps=1", "batch=1", "data.patch=32", "data.scales=[1.0]", "network.start=null",
        "validation.pictures=1", "validation.crop=32", "validation.every=1", "optimiser.warmup=0",
    ]  # fmt: skip
    study = Study.load(path)
    if "perceptual.weight" in study.changes:
        tiny.append("perceptual.embedding=descriptor")
    other = next(arm for arm in ("base", "spn_often", "searched", "golf", "perceptual_heavy") if arm in study.arms)
    keys = study.arms[other]
    if other == "golf":
        first = tmp_path / "first.safetensors"
        save_weights(create("golf_first"), first, {})
        keys = {key: value for key, value in keys.items() if key != "steps"} | {"golf.first": str(first)}
    negatives = "contrast.method" in keys
    arms = {study.reference: {}, other: {**keys, "contrast.embedding": "descriptor"} if negatives else keys}
    for run in plan(study.model_copy(update={"arms": arms, "seeds": (0,)}), tmp_path, tiny):
        assert carry_out(run, build_task, accelerator="cpu")
        record = finished(run)
        assert record is not None
        assert ("contrast" in record["facts"]) == (negatives and run.arm == other)
        assert load_described(run.folder / FINAL).parameter_count == record["parameters"]


@every_study
def test_its_header_tells_what_to_do(path: Path) -> None:
    header = path.read_text().partition("\npurpose:")[0]
    for word in ("Purpose:", "Command:", "Hardware:", "Time:", "Memory:", "Expected:", f"{path.name} data.folder="):
        assert word in header
