from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unblemish.training.division import load_data, split_for_search, split_pictures
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe

Make = Callable[..., Recipe]


def test_pictures_are_held_out_or_taken_from_a_folder(recipe: Make, photos: Path, tmp_path: Path) -> None:
    training, validation = split_pictures(recipe(validation__pictures=2))
    assert (len(training), len(validation)) == (4, 2)
    own = tmp_path / "own"
    own.mkdir()
    (own / "a.png").symlink_to(photos / "picture5.png")
    training, validation = split_pictures(recipe(validation__folder=str(own), validation__pictures=3))
    assert [path.name for path in validation] == ["a.png"]
    assert photos / "picture5.png" not in training
    assert len(training) == 5


def test_the_two_levels_and_the_validation_share_no_picture(search: Make) -> None:
    made = search()
    training, validation = split_pictures(made)
    weights, architecture = split_for_search(made, training, validation)
    assert (len(weights), len(architecture), len(validation)) == (2, 2, 2)
    assert len({*weights, *architecture, *validation}) == 6
    assert len(load_data(made)[0]) == 2


def test_a_folder_for_the_architecture(search: Make, photos: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for number in (0, 3):
        (own / f"{number}.png").symlink_to(photos / f"picture{number}.png")
    made = search(search={"folder": str(own)}, validation__pictures=1)
    training, validation = split_pictures(made)
    weights, architecture = ({p.resolve() for p in part} for part in split_for_search(made, training, validation))
    assert architecture <= {photos / "picture0.png", photos / "picture3.png"}
    assert not architecture & {*weights, *(p.resolve() for p in validation)}
    same = search(search={"folder": str(photos)})
    with pytest.raises(TrainingError, match="leave no pictures of their own for the weights"):
        split_for_search(same, *split_pictures(same))


def test_the_kernels_of_the_recipe_are_validated_too(recipe: Make, tmp_path: Path) -> None:
    np.save(tmp_path / "box.npy", np.ones((5, 5)))
    _, validation = load_data(recipe(degradations__kernels=str(tmp_path)))
    assert list(validation.degraded) == ["gaussian_noise", "jpeg", "given_kernels", "clean"]
