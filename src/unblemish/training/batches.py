"""What one step sees: patches, damaged, drawn by a seed of its own."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from unblemish.training.data import PatchSource
from unblemish.training.recipe import Recipe
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Batch


def step_seed(seed: int, stream: int | str, step: int) -> int:
    """A 63-bit seed for what a stream draws in one step: a device, by its rank, or a method, by a name."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}/{step}".encode()).digest()[:8]) >> 1


def draw_batch(
    recipe: Recipe,
    source: PatchSource,
    synthesis: Synthesis,
    seed: int,
    device: torch.device,
    *,
    count: int | None = None,
    side: int | None = None,
) -> Batch:
    """The batch that belongs to a `step_seed`; also sets PyTorch's global generators to it.

    Args:
        recipe: Says what a batch is.
        source: Of the patches.
        synthesis: Damages them, but for pairs, which were damaged before.
        seed: Of all that is drawn.
        device: Where the batch is made.
        count: Of the patches; None takes the recipe's.
        side: Of the patches, in pixels; None takes the source's.
    """
    torch.manual_seed(seed)
    drawn = source.tensor(count or recipe.batch, np.random.default_rng(seed), device, side)  # (B, 3 or 6, side, side)
    clean, damaged = (part.contiguous(memory_format=torch.channels_last) for part in (drawn[:, :3], drawn[:, 3:]))
    if recipe.data.pairs:
        degraded, kinds = _spared(clean, damaged, recipe.degradations.clean, seed), None
    else:
        degraded, kinds = synthesis(clean, seed), synthesis.kinds(len(clean), seed)
    channels = 1 if recipe.data.gray else 3
    return Batch(degraded[:, :channels], clean[:, :channels], kinds)


def _spared(clean: Tensor, damaged: Tensor, share: float, seed: int) -> Tensor:
    """The damaged patches of pairs `(B, 3, H, W)`, but for a share of them that stay clean."""
    spared = torch.rand(len(clean), generator=torch.Generator().manual_seed(seed)) < share
    return torch.where(spared.to(clean.device)[:, None, None, None], clean, damaged)
