"""What a recipe's parts switch on: the one place that knows all methods, which do not know each other."""

from __future__ import annotations

from unblemish.networks.base import Network
from unblemish.networks.catalogue import create
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.errors import BundleError
from unblemish.training.recipe import Recipe
from unblemish.training.run import plain_task
from unblemish.training.task import Task


def build_task(recipe: Recipe, *, use_start: bool = True) -> Task:
    """The task of a recipe with every method it asks for, as `training.run.train` takes it.

    Args:
        recipe: What to train.
        use_start: Load the starting weights that the recipe names.

    Raises:
        UserError: The network, its weights or what a method needs cannot be had.
    """
    plain = plain_task(recipe, use_start=use_start)
    if recipe.search:
        from unblemish.architecture_search.building import search_task

        return search_task(recipe, plain)
    if recipe.lifelong:
        from unblemish.lifelong.building import lifelong_task

        return lifelong_task(recipe, plain, use_start=use_start)
    task: Task = plain
    if recipe.perceptual or recipe.golf:
        from unblemish.deconvolution.building import deconvolution_task

        task = deconvolution_task(recipe, plain, _descriptor, use_start=use_start)
    if recipe.contrast:
        from unblemish.contrast.catalogue import create as create_contrast
        from unblemish.contrast.task import ContrastTask

        def fresh() -> Network:
            return create(recipe.network.name, recipe.network.options)

        task = ContrastTask(task, create_contrast(recipe.contrast, task.network, fresh, _descriptor))
    return task


def _descriptor() -> Network:
    """The default bundle's, which stands in where pictures are to be compared by features and there is no VGG."""
    try:
        return Bundle.load().descriptor()
    except BundleError as error:
        raise BundleError(f"{error}; or, to compare by VGG's features, set UNBLEMISH_VGG16") from error
