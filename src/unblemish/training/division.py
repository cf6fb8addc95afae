"""Which pictures of a recipe's folders are trained on, learnt the architecture on, and validated on."""

from __future__ import annotations

from pathlib import Path

from unblemish.pictures.folders import find_pictures
from unblemish.training.data import PatchSource, hold_out
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.validation import Validation


def load_data(recipe: Recipe) -> tuple[PatchSource, Validation]:
    """Training patches and validation crops; what cannot be used is in the `broken` of each.

    Raises:
        TrainingError: A folder, or all that it holds, cannot be used.
    """
    paths, held_out = split_pictures(recipe)
    if recipe.search:
        paths, _ = split_for_search(recipe, paths, held_out)
    # Validation first: it is quick, and names unknown degradations before all pictures are read.
    validation = Validation(
        held_out,
        crop=recipe.validation.crop,
        names=recipe.degradations.names,
        seed=recipe.seed,
        shrink=recipe.degradations.shrink,
        rounding=recipe.degradations.rounding,
        gray=recipe.data.gray,
    )
    return patch_source(recipe, paths), validation


def split_pictures(recipe: Recipe) -> tuple[list[Path], list[Path]]:
    """The pictures that a recipe trains on, and those it validates on.

    Raises:
        TrainingError: Nothing would be left to train on.
        PictureError: A folder, or all that it holds, cannot be used.
    """
    paths = find_pictures(recipe.data.folder)
    if not recipe.validation.folder:
        return hold_out(paths, recipe.validation.pictures)
    held_out = find_pictures(recipe.validation.folder)[: recipe.validation.pictures]
    return _without(paths, held_out), held_out


def split_for_search(recipe: Recipe, paths: list[Path], held_out: list[Path]) -> tuple[list[Path], list[Path]]:
    """Two disjoint parts of a search's training pictures: for the weights and for the architecture.

    Args:
        recipe: Has a part `search`.
        paths: What it trains on, see `split_pictures`.
        held_out: What it validates on, which belongs to neither part.

    Raises:
        TrainingError: One of them would be empty.
        PictureError: The search's folder, or all that it holds, cannot be used.
    """
    if recipe.search is None or recipe.search.folder is None:
        return hold_out(paths, max(1, len(paths) // 2))
    architecture = _without(find_pictures(recipe.search.folder), held_out)
    weights = _without(paths, architecture)
    if not weights or not architecture:
        raise TrainingError(
            f"data.folder={recipe.data.folder} and search.folder={recipe.search.folder} leave no pictures of their own "
            "for the weights and for the architecture; give two folders, or leave search.folder out"
        )
    return weights, architecture


def patch_source(recipe: Recipe, paths: list[Path]) -> PatchSource:
    """Patches of these pictures as the recipe wants them cut.

    Raises:
        TrainingError: No picture can be used.
    """
    part = recipe.data
    return PatchSource(
        paths,
        patch=part.patch,
        scales=part.scales,
        memory=int(part.memory * 1e9),
        gray=part.gray,
        on_device=part.on_device,
    )


def _without(paths: list[Path], others: list[Path]) -> list[Path]:
    """The paths that are no file of the others."""
    apart = {path.resolve() for path in others}
    return [path for path in paths if path.resolve() not in apart]
