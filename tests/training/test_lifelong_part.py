"""What a recipe may say of LIRA's stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from unblemish.training.errors import TrainingError
from unblemish.training.lifelong_part import GrowPart, JoinPart, ReplayPart
from unblemish.training.recipe import Recipe
from unblemish.training.recipe_parts import Part
from unblemish.training.run import build_task

PARTS: dict[str, type[Part]] = {"join": JoinPart, "replay": ReplayPart, "grow": GrowPart}
LIRA = {"network": {"name": "lira_compact", "options": {}}}


def part(**keys: Any) -> dict[str, Any]:
    return {"stage": "grow", "old": "old.safetensors", "strategy": "setting_a", **keys}


def test_the_guide_describes_every_key_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "lifelong.md").read_text()
    table = guide.partition("## Stages of training")[2].partition("| key |")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    stated = {cells[1].strip(" `"): yaml.safe_load(cells[2].strip() or "''") for cells in rows}
    expected = {
        f"{stage}.{name}": "" if field.is_required() else field.default
        for stage, kind in PARTS.items()
        for name, field in kind.model_fields.items()
        if name != "stage"
    }
    assert stated == {key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()}


PAIRS = {"data__pairs": ["hazy", "clear"], "degradations__names": []}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"lifelong": "grow"}, "write lifelong.stage=grow"),
        ({"lifelong": {"stage": "sleep"}}, "stage must be one of experts, join, replay, grow"),
        ({"lifelong": part(rate=1)}, "lifelong.rate: Extra"),
        ({"lifelong": part(strategy="lira")}, "lifelong.replay goes with strategy: lira"),
        ({"lifelong": part(replay=["a"])}, "lifelong.replay goes with strategy: lira"),
        ({"lifelong": part(old_folder="photos")}, "lifelong.old_folder goes with strategy: joint and ewc alone"),
        ({"lifelong": part(strategy="joint")}, "strategy: joint also needs lifelong.watch"),
        ({"lifelong": part(strategy="ewc", old_folder="photos")}, "strategy: ewc also needs lifelong.watch"),
        ({"lifelong": {"stage": "replay", "restorer": "r"}}, "trains network.name=replay_generator, not lira_compact"),
        ({"lifelong": part(), "network": {"name": "srresnet"}}, "trains network.name=lira or lira_compact or lira_naf"),
        ({"lifelong": part(), "compile": True}, "lifelong and compile do not go together"),
        ({"lifelong": part(), "data__gray": True}, "for colour pictures"),
        (
            {"lifelong": part(strategy="joint", watch=["jpeg"]), **PAIRS},
            "with data.pairs also needs lifelong.old_folder",
        ),
    ],
)
def test_what_does_not_fit(keys: dict[str, Any], said: str, recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError) as caught:
        recipe(**{**LIRA, **keys})
    assert said in str(caught.value)


def test_validation_watches_older_tasks_first(recipe: Callable[..., Recipe]) -> None:
    watching = recipe(**LIRA, lifelong=part(watch=["moderate_blend"]), degradations__names=["haze"])
    assert watching.validated == ("moderate_blend", "haze")
    assert recipe(degradations__names=["haze"]).validated == ("haze",)


def test_plain_training_refuses_it(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(TrainingError, match="has a part 'lifelong': give train"):
        build_task(recipe(**LIRA, lifelong={"stage": "experts"}))
