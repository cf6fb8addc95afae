"""From clean patches to pairs: which degradation each patch gets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.resampling import resized


class Synthesis:
    """Damages each patch of a batch with one of several degradations, drawn with equal chances, and shrinks it.

    Args:
        names: Degradations of the catalogue; without any, all patches stay undamaged.
        clean: Probability that a patch stays undamaged.
        shrink: Factor of the bicubic shrinking that follows.
    """

    def __init__(self, names: Sequence[str], clean: float = 0.0, shrink: int = 1) -> None:
        self.names = tuple(names)
        self.clean = clean if names else 1.0
        self.shrink = shrink
        self._degradations = [create(name) for name in self.names]

    @torch.no_grad()
    def __call__(self, clean: Tensor, seed: int) -> Tensor:
        """Damaged copies of `(B, 3, H, W)`, on its device, rounded to 8 bit as a file would be.

        Returns:
            `(B, 3, H / shrink, W / shrink)`.
        """
        draw = torch.Generator().manual_seed(seed)
        noise = torch.Generator(clean.device).manual_seed(seed)
        kinds = torch.randint(max(1, len(self.names)), (len(clean),), generator=draw)
        kinds[torch.rand(len(clean), generator=draw) < self.clean] = -1
        degraded = clean.clone()
        for kind, degradation in enumerate(self._degradations):
            rows = (kinds == kind).nonzero().flatten().to(clean.device)
            if len(rows):
                parameters = degradation.sample(len(rows), draw)
                degraded[rows] = degradation.apply(clean[rows], parameters, noise)
        return quantise_8bit(shrunk(degraded, self.shrink))


def shrunk(pictures: Tensor, factor: int) -> Tensor:
    """`(B, 3, H, W)` to `(B, 3, H / factor, W / factor)`, antialiased bicubic, in [0, 1]."""
    height, width = pictures.shape[-2:]
    return pictures if factor == 1 else resized(pictures, height // factor, width // factor).clamp(0.0, 1.0)
