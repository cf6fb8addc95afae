"""LIRA's studies, one after the other at tiny size: each starts from what the one before has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from unblemish.restoration.methods import build_task
from unblemish.studies.runs import carry_out, finished
from unblemish.studies.study import Study, plan

STUDIES = Path(__file__).parents[1] / "recipes/studies"
TINY = (
    *("steps=1", "batch=1", "data.patch=32", "data.scales=[1.0]", "optimiser.warmup=0", "precision=32-true"),
    *("validation.pictures=1", "validation.crop=32", "validation.every=1"),
)


def carried_out(name: str, photos: Path, arms: tuple[str, ...]) -> None:
    """One step of some arms with the first seed, in the folder that later studies look into."""
    study = Study.load(STUDIES / f"{name}.yaml")
    steady = {arm: {key: value for key, value in keys.items() if key != "steps"} for arm, keys in study.arms.items()}
    study = study.model_copy(update={"arms": steady})
    for run in plan(study, Path("runs") / name, [f"data.folder={photos}", *TINY]):
        if run.arm in arms and run.seed == study.seeds[0]:
            assert carry_out(run, build_task, accelerator="cpu")
            record = finished(run)
            assert record is not None
            watched = {"moderate_blend"} if name in ("lira_haze", "lira_darkness_cold") else set()
            assert watched <= {*record["validations"]}


def test_from_experts_to_a_grown_network(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    carried_out("lira_experts", photos, ("sk", "durb_m"))
    carried_out("lira_base", photos, ("lira", "durb_m", "half_of_gates", "owan", "owan_scaled"))
    carried_out("lira_replay", photos, ("residual", "logarithm"))
    for scene in ("haze", "darkness"):
        carried_out(f"lira_{scene}_warmup", photos, ("warmup",))
    carried_out("lira_haze", photos, ("lira", "joint_full_rate", "owan_scaled", "owan_scaled_longer"))
    carried_out("lira_darkness_cold", photos, ("lira", "fine_tuning"))


@pytest.mark.parametrize("scene", ["haze", "darkness"])
def test_both_scenes_are_studied_alike(scene: str) -> None:
    """Equal but for the damage, so that the tables compare."""
    texts = [(STUDIES / f"lira_{one}.yaml").read_text().replace(one, "scene") for one in ("haze", scene)]
    assert texts[0] == texts[1]
