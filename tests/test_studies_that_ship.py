"""The studies in recipes/studies: each is right, and its reference arm runs at tiny size."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.studies.study import Study, plan

STUDIES = sorted((Path(__file__).parents[1] / "recipes/studies").glob("*.yaml"))
every_study = pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)


@every_study
def test_its_arms_are_recipes_of_equal_budget_unless_called_longer(path: Path, tmp_path: Path) -> None:
    study = Study.load(path)
    runs = plan(study, tmp_path)
    assert len(runs) == len(study.arms) * len(study.seeds) >= 4
    equal = [run for run in runs if not run.arm.endswith("_longer")]
    assert len({(run.recipe.steps, run.recipe.batch, run.recipe.data.patch) for run in equal}) == 1
    assert (study.reference, study.arms[study.reference]) == ("none", {})


@every_study
def test_its_header_tells_what_to_do(path: Path) -> None:
    header = path.read_text().partition("\npurpose:")[0]
    for word in ("Purpose:", "Command:", "Hardware:", "Time:", "Memory:", "Expected:", f"{path.name} data.folder="):
        assert word in header
