"""Which pictures of a recipe's folders are trained on, learnt the architecture on, and validated on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unblemish.pictures.folders import find_pictures
from unblemish.pictures.pairs import find_pairs
from unblemish.training.data import PatchSource
from unblemish.training.errors import TrainingError
from unblemish.training.holding_out import hold_out_scenes, smallest
from unblemish.training.loading import Source, path_of
from unblemish.training.recipe import Recipe
from unblemish.training.validation import Validation


def load_data(recipe: Recipe) -> tuple[PatchSource, Validation]:
    """Training patches and validation crops; what cannot be used is in the `broken` of each.

    Raises:
        TrainingError: A folder, or all that it holds, cannot be used.
    """
    sources, held_out = split_pictures(recipe)
    if recipe.search:
        sources, _ = split_for_search(recipe, sources, held_out)
    # Validation first: it is quick, and names unknown degradations before all pictures are read.
    validation = Validation(
        held_out,
        crop=recipe.validation.crop,
        names=recipe.validated,
        seed=recipe.seed,
        shrink=recipe.degradations.shrink,
        rounding=recipe.degradations.rounding,
        gray=recipe.data.gray,
        kernels=recipe.degradations.kernels,
    )
    return patch_source(recipe, sources), validation


def find_sources(recipe: Recipe, folder: Path) -> Sequence[Source]:
    """What a folder holds for a recipe: its pictures, or its pairs.

    Raises:
        PictureError: The folder, or all that it holds, cannot be used.
    """
    return find_pairs(folder, recipe.data.pairs) if recipe.data.pairs else find_pictures(folder)


def split_pictures(recipe: Recipe) -> tuple[Sequence[Source], Sequence[Source]]:
    """The pictures or pairs that a recipe trains on, and those it validates on.

    Whole scenes of pairs are held out. Those of their pairs that are not among the ones to validate on are left out.

    Raises:
        TrainingError: Nothing would be left to train on.
        PictureError: A folder, or all that it holds, cannot be used.
    """
    sources, part = find_sources(recipe, recipe.data.folder), recipe.validation
    if not part.folder:
        rest, held_out = hold_out_scenes(sources, part.pictures)
        return rest, smallest(held_out, part.pictures)
    given = find_sources(recipe, part.folder)
    if recipe.data.pairs:  # the first ones would all be of one scene
        return without(sources, given), smallest(given, part.pictures)
    held_out = given[: part.pictures]
    return without(sources, held_out), held_out


def split_for_search(
    recipe: Recipe, sources: Sequence[Source], held_out: Sequence[Source]
) -> tuple[Sequence[Source], Sequence[Source]]:
    """Two disjoint parts of a search's training pictures: for the weights and for the architecture.

    Args:
        recipe: Has a part `search`.
        sources: What it trains on, see `split_pictures`.
        held_out: What it validates on, which belongs to neither part.

    Raises:
        TrainingError: One of them would be empty.
        PictureError: The search's folder, or all that it holds, cannot be used.
    """
    if recipe.search is None or recipe.search.folder is None:
        return hold_out_scenes(sources, max(1, len(sources) // 2))
    architecture = without(find_sources(recipe, recipe.search.folder), held_out)
    weights = without(sources, architecture)
    if not weights or not architecture:
        raise TrainingError(
            f"data.folder={recipe.data.folder} and search.folder={recipe.search.folder} leave no pictures of their own "
            "for the weights and for the architecture; give two folders, or leave search.folder out"
        )
    return weights, architecture


def patch_source(recipe: Recipe, sources: Sequence[Source]) -> PatchSource:
    """Patches of these pictures or pairs as the recipe wants them cut.

    Raises:
        TrainingError: No picture can be used.
    """
    part = recipe.data
    return PatchSource(
        sources,
        patch=part.patch,
        scales=part.scales,
        memory=int(part.memory * 1e9),
        gray=part.gray,
        on_device=part.on_device,
    )


def without(sources: Sequence[Source], others: Sequence[Source]) -> list[Source]:
    """The sources that share no file with the others."""
    apart = {path_of(other).resolve() for other in others}
    return [source for source in sources if path_of(source).resolve() not in apart]
