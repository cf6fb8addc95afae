"""Pseudo samples of an old task, from clean pictures of a new one (LIRA, Sec. 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unblemish.degradations.quantisation import rounded


@torch.no_grad()
def pseudo_pairs(generator: nn.Module, restorer: nn.Module, clean: Tensor) -> tuple[Tensor, Tensor]:
    """What the old task would have seen, and what its network made of it.

    Networks run under the autocast of the caller.

    Args:
        generator: G*, in evaluation mode: maps clean pictures to damaged ones.
        restorer: R, in evaluation mode: maps damaged pictures to restored ones.
        clean: y_2, `(B, 3, H, W)` float32, [0, 1].

    Returns:
        x'_1 = G*(y_2), rounded to 8 bit as real damage is, and y'_2 = R(x'_1); both `(B, 3, H, W)` float32, [0, 1],
        without gradients.
    """
    damaged = rounded(generator(clean).float(), "nearest")  # (B, 3, H, W)
    return damaged, restorer(damaged).float().clamp(0.0, 1.0)
