"""From clean patches to pairs: which degradation each patch gets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.degradations.quantisation import quantise_8bit


class Synthesis:
    """Damages each patch of a batch with one of several degradations, drawn with equal chances.

    Args:
        names: Degradations of the catalogue.
        clean: Probability that a patch stays undamaged.
    """

    def __init__(self, names: Sequence[str], clean: float = 0.0) -> None:
        self.names = tuple(names)
        self.clean = clean
        self._degradations = [create(name) for name in self.names]

    @torch.no_grad()
    def __call__(self, clean: Tensor, seed: int) -> Tensor:
        """Damaged copies of `(B, 3, H, W)`, on its device, rounded to 8 bit as a file would be."""
        draw = torch.Generator().manual_seed(seed)
        noise = torch.Generator(clean.device).manual_seed(seed)
        kinds = torch.randint(len(self.names), (len(clean),), generator=draw)
        kinds[torch.rand(len(clean), generator=draw) < self.clean] = -1
        degraded = clean.clone()
        for kind, degradation in enumerate(self._degradations):
            rows = (kinds == kind).nonzero().flatten().to(clean.device)
            if len(rows):
                parameters = degradation.sample(len(rows), draw)
                degraded[rows] = degradation.apply(clean[rows], parameters, noise)
        return quantise_8bit(degraded)
