from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.outcome import Outcome, next_commands, size_of
from unblemish.evaluation.timing import multiply_adds_per_pixel
from unblemish.networks.catalogue import create
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.recipe import Recipe


@pytest.mark.parametrize("options", [{}, {"width": 8, "fold": 2}])
def test_the_size_is_that_of_the_network(options: dict[str, Any]) -> None:
    options = {"architecture": "PF/F", **options}
    network = create("multiscale", options)
    assert size_of("multiscale", options) == (network.parameter_count, multiply_adds_per_pixel(network))


def test_the_work_on_gray_pictures_is_that_on_one_channel() -> None:
    _, gray = size_of("multiscale", {"architecture": "P", "width": 2, "gray": True})
    _, colour = size_of("multiscale", {"architecture": "P", "width": 2})
    # Colour has two channels more to take in, by a convolution and a shortcut around it, and to give out.
    assert colour - gray == 2 * (2 + 8) + 2 * 2


def test_what_is_no_search_is_refused(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    state = Checkpoint.start(recipe())
    state.save(tmp_path / "last.ckpt")
    searching = recipe(network={"name": "multiscale_supernet"}, search={})
    with pytest.raises(SearchError, match="holds no search; give the folder of one"):
        Outcome.load(tmp_path, searching)


def test_what_to_type_next(tmp_path: Path) -> None:
    lines = next_commands(Path("my runs")).splitlines()
    assert lines[1] == "  unblemish train 'my runs/train.yaml' -o 'my runs/final'"
    assert len(lines) == 4
    used = next_commands(tmp_path, tmp_path / "trained" / "searched_seed0").splitlines()
    assert [line.split()[1] for line in used[1:]] == ["restore", "export"]
    assert used[1].endswith(f"{tmp_path}/trained/searched_seed0/best.safetensors")
