"""A search's task from its recipe."""

from __future__ import annotations

import torch
from torch import Tensor

from unblemish.architecture_search.complexity import measure_costs
from unblemish.architecture_search.task import ArchitectureBatches, SearchTask
from unblemish.networks.multiscale_supernet import MultiScaleSupernet
from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.division import patch_source, split_for_search, split_pictures
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.schedule import rate_factor
from unblemish.training.search_part import SearchPart
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Batch, RestorationTask

STREAM = "architecture"
"""Name of the stream of patches that the architecture learns from, see `training.batches.step_seed`."""


def search_task(recipe: Recipe, plain: RestorationTask) -> SearchTask:
    """The task of a recipe that has a part `search`.

    Args:
        recipe: What to search.
        plain: The same recipe's task without the search.

    Raises:
        TrainingError: The pictures of the architecture cannot be used.
    """
    part, network = recipe.search, plain.network
    if part is None or not isinstance(network, MultiScaleSupernet):
        raise TrainingError("the recipe has no part 'search'; add one, see docs/search.md")
    optimiser = recipe.optimiser

    def rate(step: int) -> float:
        return optimiser.rate * rate_factor(
            step - 1,
            steps=recipe.steps,
            warmup=optimiser.warmup,
            floor=optimiser.floor,
            decay=optimiser.decay,
        )

    dtype = torch.float32 if recipe.precision == "32-true" else torch.bfloat16
    return SearchTask(
        network,
        plain.loss,
        part,
        costs=_costs(network, part, dtype),
        batches=architecture_batches(recipe),
        rate=rate,
        weight_decay=optimiser.weight_decay,
    )


def _costs(network: MultiScaleSupernet, part: SearchPart, dtype: torch.dtype) -> Tensor:
    try:
        return measure_costs(network, part.complexity, part.latency_side, torch.device(part.latency_device), dtype)
    except (RuntimeError, AssertionError) as error:  # what PyTorch raises for devices that are not there
        raise TrainingError(
            f"search.latency_device={part.latency_device}: cannot be measured there "
            f"({str(error).partition(chr(10))[0]}); name a device of this machine"
        ) from error


def architecture_batches(recipe: Recipe) -> ArchitectureBatches:
    """Batches of the pictures that the weights do not see, damaged like theirs.

    Raises:
        TrainingError: None of them can be used.
    """
    _, paths = split_for_search(recipe, *split_pictures(recipe))
    source, synthesis = patch_source(recipe, paths), Synthesis.of(recipe.degradations)

    def draw(step: int, device: torch.device) -> Batch:
        return draw_batch(recipe, source, synthesis, step_seed(recipe.seed, STREAM, step), device)

    return draw
