"""What a recipe may say of LIRA's stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task

LIRA = {"network": {"name": "lira_compact", "options": {}}}


def part(**keys: Any) -> dict[str, Any]:
    return {"stage": "grow", "old": "old.safetensors", "strategy": "setting_a", **keys}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"lifelong": "grow"}, "write lifelong.stage=grow"),
        ({"lifelong": {"stage": "sleep"}}, "stage must be one of experts, join, replay, grow"),
        ({"lifelong": part(rate=1)}, "lifelong.rate: Extra"),
        ({"lifelong": part(strategy="lira")}, "lifelong.replay goes with strategy: lira"),
        ({"lifelong": part(replay=["a"])}, "lifelong.replay goes with strategy: lira"),
        ({"lifelong": part(strategy="joint")}, "lifelong.old_folder goes with joint and ewc"),
        ({"lifelong": part(old_folder="photos")}, "lifelong.old_folder goes with joint and ewc"),
        ({"lifelong": part(strategy="ewc", old_folder="photos")}, "strategy: ewc also needs lifelong.watch"),
        ({"lifelong": {"stage": "replay", "restorer": "r"}}, "trains network.name=replay_generator, not lira_compact"),
        ({"lifelong": part(), "network": {"name": "srresnet"}}, "trains network.name=lira or lira_compact"),
        ({"lifelong": part(), "compile": True}, "lifelong and compile do not go together"),
        ({"lifelong": part(), "data__gray": True}, "for colour pictures"),
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
