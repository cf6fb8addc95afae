from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from unblemish.architecture_search.baselines import (
    SEARCHED,
    arm_name,
    as_study,
    baselines,
    check_baselines,
    columns_of,
    nth_architecture,
)
from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.found import training_recipe
from unblemish.networks.errors import NetworkError
from unblemish.studies.study import budget, plan
from unblemish.training.recipe import Recipe
from unblemish.training.search_part import BaselinesPart, SearchPart

SPACE = {f"{a}{b}/{c}" for a in "PF" for b in "PF" for c in "PF"}


def test_every_architecture_has_a_number() -> None:
    assert {nth_architecture([2, 1], number) for number in range(8)} == SPACE
    assert nth_architecture([2, 1], 0) == "PP/P"
    assert nth_architecture([2, 1], 1) == "PP/F"
    assert nth_architecture([4, 4, 4], 2**12 - 1) == "FFFF/FFFF/FFFF"


def test_arms_are_what_was_found_the_extremes_and_random_ones() -> None:
    found = baselines("FP/P", BaselinesPart(random=3), seed=4)
    assert list(found.arms) == ["searched", "all_parallel", "all_fusion", "random_1", "random_2", "random_3"]
    assert [found.arms[arm] for arm in ("searched", "all_parallel", "all_fusion")] == ["FP/P", "PP/P", "FF/F"]
    assert len(set(found.arms.values())) == 6
    assert found.drawn() == ["random_1", "random_2", "random_3"]
    assert found == baselines("FP/P", BaselinesPart(random=3), seed=4)
    draws = {tuple(baselines("FP/P", BaselinesPart(random=3), seed=seed).arms.values()) for seed in range(8)}
    assert len(draws) > 1


@pytest.mark.parametrize("seed", range(5))
def test_random_ones_come_in_one_order_whatever_was_found(seed: int) -> None:
    part = BaselinesPart(random=8, extremes=False)
    one, other = (baselines(found, part, seed) for found in ("FPPF/FFFF/PFFP", "PPPP/PPPP/FFFF"))
    assert [one.arms[arm] for arm in one.drawn()] == [other.arms[arm] for arm in other.drawn()]
    assert "all_fusion" not in one.roles


def test_one_architecture_is_one_training() -> None:
    found = baselines("FF/F", BaselinesPart(random=1), seed=0)
    assert list(found.arms) == ["searched", "all_parallel", "random_1"]
    assert found.arm("all_fusion") == found.arm(SEARCHED) == "searched"
    assert found.standing_for()["searched"] == ["searched", "all_fusion"]


def test_a_whole_space_is_named_by_its_letters() -> None:
    found = baselines("FP/P", BaselinesPart(exhaustive=True), seed=0)
    assert found.arms == {arm_name(one): one for one in (nth_architecture([2, 1], number) for number in range(8))}
    assert (found.arm(SEARCHED), found.arm("all_fusion")) == ("FP-P", "FF-F")
    assert found.standing_for()["FP-P"] == ["searched", "FP-P"]
    assert found.drawn() == list(found.arms)
    assert set(found.arms.values()) == SPACE


@pytest.mark.parametrize(
    ("counts", "part", "message"),
    [
        ([4, 3], {"exhaustive": True}, r"all 128 architectures .* at most 64 .* lower network.options.columns"),
        ([1, 1], {"random": 2}, r"random=2 is more than the space of 4 .* lower it to 1, or set .*exhaustive=true"),
        ([1], {"random": 1}, r"lower it to 0"),
        ([4], {"seeds": (1, 1)}, r"has a seed twice; name each once"),
    ],
)
def test_what_the_space_has_no_room_for_is_refused(counts: list[int], part: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        check_baselines(counts, BaselinesPart(**part))


def test_columns_are_those_of_the_recipe(recipe: Callable[..., Recipe]) -> None:
    def searching(**options: Any) -> Recipe:
        return recipe(network={"name": "multiscale_supernet", "options": options}, search={})

    assert columns_of(searching()) == [4, 4, 4]
    assert columns_of(searching(columns="2/1")) == [2, 1]
    with pytest.raises(NetworkError, match="columns"):
        columns_of(searching(columns="2/x"))


def test_the_study_trains_all_arms_alike(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    part = {"training": {"steps": 9}, "baselines": {"random": 2, "seeds": [3, 5]}}
    options = {"columns": "2/1", "width": 2}
    searching = recipe(network={"name": "multiscale_supernet", "options": options}, search=part)
    assert isinstance(searching.search, SearchPart)
    found = baselines("FP/P", searching.search.baselines, searching.seed)
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(training_recipe(searching, "FP/P")))
    study = as_study(found, tmp_path / "train.yaml", searching.search, "which?", ("rgb",))
    assert study.reference == "searched"
    planned = plan(study, tmp_path / "trained")
    assert [(run.arm, run.seed) for run in planned] == [(arm, seed) for seed in (3, 5) for arm in found.arms]
    for run in planned:
        assert run.recipe.network.name == "multiscale"
        assert run.recipe.network.options == {"architecture": found.arms[run.arm], "width": 2}
        assert run.recipe.search is None
        assert budget(run.recipe) == {"steps": 9, "batch": 2, "data.patch": 32}
    assert planned[0].folder == tmp_path / "trained" / "searched_seed3"
