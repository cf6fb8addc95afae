"""A deconvolution's task from its recipe."""

from __future__ import annotations

from unblemish.deconvolution.criterion import create_criterion
from unblemish.deconvolution.task import CorrectionTask, CriterionTask
from unblemish.networks.golf import GolfOptimizer
from unblemish.networks.loading import load_weights
from unblemish.training.embeddings import DescriptorLoader
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.task import RestorationTask, Task


def deconvolution_task(
    recipe: Recipe, plain: RestorationTask, descriptor: DescriptorLoader, *, use_start: bool
) -> Task:
    """The task of a recipe that has a part `perceptual`, or `golf`, or both.

    Args:
        recipe: What to train.
        plain: The same recipe's task without them.
        descriptor: See `criterion.create_criterion`.
        use_start: Fill F with the weights that the recipe names.

    Raises:
        TrainingError: The recipe names no weights for F.
        NetworkError: They do not fit, or there is no network to compare features by.
    """
    network, criterion = plain.network, create_criterion(recipe, descriptor)
    if recipe.golf is None:
        return CriterionTask(network, criterion)
    assert isinstance(network, GolfOptimizer)  # the recipe is validated
    if use_start and recipe.golf.first:
        load_weights(network.first, recipe.golf.first)
    elif use_start and not recipe.network.start:
        raise TrainingError(
            "corrections are learnt for a first step that is trained already: train network.name=golf_first, and give "
            "its weights as golf.first, see recipes/golf_first.yaml and recipes/golf.yaml"
        )
    return CorrectionTask(network, criterion, recipe.golf.iterations)
