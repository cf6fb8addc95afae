"""Statistics of batch normalisation, averaged anew for the weights that are validated and written.

Running statistics are those of the last few batches, and of other weights than the averaged ones. Plain averages over
one set of pictures take their place (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021, Sec. 3). These pictures
are as large as those of validation: the zeros around a small patch weigh more than those around a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.data import PatchSource
from unblemish.training.recipe import Recipe
from unblemish.training.synthesis import Synthesis

PICTURES, TOGETHER = 64, 8
"""Damaged pictures that statistics are averaged over, and how many of them make a batch."""

STREAM = "statistics"
"""Name of the stream that they are drawn from, see `batches.step_seed`."""


def statistics_batches(recipe: Recipe, source: PatchSource, synthesis: Synthesis, device: torch.device) -> list[Tensor]:
    """The damaged pictures of a recipe that statistics are averaged over, `(TOGETHER, C, side, side)` each.

    They are squares of `validation.crop` (or of `data.patch`, if that is larger), or of the smallest training picture
    where that is smaller; every device and every call makes the same. PyTorch's global generators are set.
    """
    side = min(max(recipe.validation.crop, source.patch), source.smallest)
    side -= side % recipe.degradations.shrink
    seeds = [step_seed(recipe.seed, STREAM, number) for number in range(PICTURES // TOGETHER)]
    return [
        draw_batch(recipe, source, synthesis, seed, device, count=TOGETHER, side=side).degraded for seed in seeds
    ]  # fmt: skip


def has_statistics(network: nn.Module) -> bool:
    """Whether a network has batch normalisation."""
    return any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@torch.no_grad()
def average_statistics(network: nn.Module, batches: Sequence[Tensor]) -> None:
    """Replaces the running statistics of all batch normalisations by their plain averages over batches.

    Args:
        network: Changed in place; its mode stays as it is.
        batches: `(B, C, H, W)` each, on the network's device; where there is none, statistics stay as they are.
    """
    if batches:
        update_bn(batches, network)
