"""`recipes/golf_iterations.py` on a tiny Golf Optimizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from unblemish.errors import UserError
from unblemish.networks.catalogue import create
from unblemish.networks.loading import save_weights
from unblemish.training.recipe import Recipe


def weights(path: Path, name: str, options: dict[str, object]) -> Path:
    torch.manual_seed(0)
    save_weights(create(name, options), path, {"network": name, "options": json.dumps(options)})
    return path


def test_scores_of_each_iteration(
    recipe_script: Callable[[str], ModuleType], photos: Path, recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    golf = weights(tmp_path / "golf.safetensors", "golf", {"width": 4, "corrector_width": 4, "fold": 2})
    script = recipe_script("golf_iterations")
    script.SIDE = 32
    words = [str(golf), str(photos), "--with", "motion_blur", "--iterations", "2", "--limit", "2"]
    script.main([*words, "-o", str(tmp_path / "x.json"), "--figure", str(tmp_path / "x.png")])
    found = json.loads((tmp_path / "x.json").read_text())
    one = found["damage"]["motion_blur"]
    assert one["pictures"] == 2
    assert len(one["estimates"]) == len(found["seconds"]) == 3
    assert len(one["updates"]) == 2
    assert one["input"] not in one["estimates"]
    assert found["megabytes"]["G"] < found["megabytes"]["F"]
    assert (tmp_path / "x.png").stat().st_size > 5_000


def test_the_last_estimate_is_what_the_network_restores(recipe_script: Callable[[str], ModuleType]) -> None:
    network, x = create("golf", {"width": 4, "corrector_width": 4, "fold": 2, "iterations": 2}), torch.rand(1, 3, 17, 9)
    *_, last = recipe_script("golf_iterations").traced(network, x, 2)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), last)


def test_other_networks_are_refused(
    recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path
) -> None:  # fmt: skip
    plain = weights(tmp_path / "plain.safetensors", "golf_first", {"width": 4})
    with pytest.raises(UserError, match="does not iterate"):
        recipe_script("golf_iterations").main([str(plain), str(photos), "-o", str(tmp_path / "x.json")])
