from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

from unblemish.grouping import candidate as module
from unblemish.grouping.candidate import SCORES, Candidate, carry_out, derive, fingerprint, finished, held_out
from unblemish.grouping.errors import GroupingError, SearchStoppedError
from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_weights, save_weights
from unblemish.training.callbacks import Journal
from unblemish.training.division import load_data
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.validation import Validation


def changed(recipe: Recipe, **overrides: object) -> Recipe:
    content = recipe.model_dump(mode="json")
    for key, value in overrides.items():
        part, _, last = key.rpartition("__")
        (content[part] if part else content)[last] = value
    return Recipe.parse(content, "recipe")


def on_cpu(recipe: Recipe, folder: Path) -> Candidate:
    return Candidate(recipe, folder, "cpu")


def test_a_groups_recipe_differs_in_group_and_steps_only(recipe: Recipe) -> None:
    derived = derive(recipe, ("jpeg", "ringing"), 7)
    differing = {key for key, value in derived.flat().items() if recipe.flat()[key] != value}
    assert differing == {"purpose", "steps", "degradations.names", "validation.every"}
    assert (derived.steps, derived.validation.every, derived.degradations.names) == (7, 7, ("jpeg", "ringing"))
    with pytest.raises(TrainingError, match=r"the recipe with 3 steps.*warmup \(5\) must be below steps"):
        derive(changed(recipe, optimiser__warmup=5), ("jpeg",), 3)


def test_the_fingerprint_follows_all_that_matters_and_nothing_else(
    recipe: Recipe, photos: Path, tmp_path: Path
) -> None:
    same = fingerprint(recipe)
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    assert fingerprint(changed(recipe, data__folder=str(moved), purpose="x", save_every=7, data__memory=1.0)) == same
    (moved / "0.png").unlink()
    others = {
        fingerprint(changed(recipe, **overrides))
        for overrides in (
            {"seed": 1}, {"steps": 51}, {"degradations__names": ["jpeg"]}, {"batch": 3}, {"data__folder": str(moved)},
            {"validation__folder": str(moved)}, {"validation__crop": 48},
        )
    }  # fmt: skip
    assert len(others | {same}) == 8


def test_starting_weights_count_by_content(recipe: Recipe, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    prints = set()
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_weights(create("srresnet", {"blocks": 1, "width": 4}), start, {})
        prints.add(fingerprint(changed(recipe, network__start=str(start))))
    assert len(prints) == 2
    start.unlink()
    with pytest.raises(GroupingError, match=r"start\.safetensors: cannot be read .* check network\.start"):
        fingerprint(changed(recipe, network__start=str(start)))


def test_the_score_is_that_of_the_last_step_with_the_same_damage_in_every_group(recipe: Recipe, tmp_path: Path) -> None:
    derived = derive(recipe, ("jpeg", "gaussian_noise"), 2)
    scores = carry_out(on_cpu(derived, tmp_path / "run"))
    network = create("srresnet", {"blocks": 1, "width": 4}).eval()
    load_weights(network, tmp_path / "run" / "final.safetensors")
    for name in ("jpeg", "gaussian_noise"):
        validation = Validation(held_out(recipe), crop=32, names=[name], seed=0)
        assert scores[name] == pytest.approx(validation.score(network, torch.device("cpu"))[name], abs=1e-4)
    assert torch.equal(validation.clean, load_data(derived)[1].clean)
    written = finished(tmp_path / "run")
    assert written
    assert written["psnr"] == scores
    assert written["steps"] == 2
    assert "held-out pictures" in written["protocol"]
    assert {"revision", "hardware", "seconds"} <= written["provenance"].keys()


def test_what_is_finished_is_not_trained_again(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = derive(recipe, ("jpeg",), 2)
    scores = carry_out(on_cpu(derived, tmp_path))
    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    assert carry_out(on_cpu(derived, tmp_path)) == scores
    (tmp_path / SCORES).unlink()  # as if the program had ended between training and scoring
    assert carry_out(on_cpu(derived, tmp_path)) == scores


def test_a_stopped_training_goes_on_to_the_same_result(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived = derive(recipe, ("jpeg", "ringing"), 3)
    whole = carry_out(on_cpu(derived, tmp_path / "whole"))
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "on_step", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(SearchStoppedError, match=r"training of jpeg \+ ringing after 1 of 3 steps"):
            carry_out(on_cpu(derived, tmp_path / "parts"))
    assert finished(tmp_path / "parts") is None
    assert carry_out(on_cpu(derived, tmp_path / "parts")) == whole


@pytest.mark.parametrize("content", ["", "[1]", json.dumps({"psnr": {}})])
def test_a_spoilt_score_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / SCORES).write_text(content)
    with pytest.raises(GroupingError, match="delete its folder"):
        finished(tmp_path)
