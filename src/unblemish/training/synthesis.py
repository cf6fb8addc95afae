"""From clean patches to pairs: which degradation each patch gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation
from unblemish.degradations.given_kernels import GivenKernels
from unblemish.degradations.parsing import draw, parse
from unblemish.degradations.quantisation import Rounding, rounded
from unblemish.degradations.resampling import resized
from unblemish.training.recipe_parts import DegradationPart


class Synthesis:
    """Damages each patch of a batch with one of several degradations, drawn with equal chances, and shrinks it.

    Args:
        names: Degradations of the catalogue, with parameters where they are not to be drawn (see
            `degradations.parsing.parse`).
        clean: Probability that a patch stays undamaged.
        shrink: Factor of the bicubic shrinking that follows.
        rounding: How the result comes to 8 bit.
        kernels: Point spread functions, whose blur is one more degradation. Without it and without names, all patches
            stay undamaged.
    """

    def __init__(
        self,
        names: Sequence[str],
        clean: float = 0.0,
        shrink: int = 1,
        rounding: Rounding = "nearest",
        kernels: Path | None = None,
    ) -> None:
        self._degradations = named_degradations(names, kernels)
        self.clean = clean if self._degradations else 1.0
        self.shrink = shrink
        self.rounding: Rounding = rounding

    @classmethod
    def of(cls, part: DegradationPart) -> Synthesis:
        """What a recipe says of the damage."""
        return cls(part.names, part.clean, part.shrink, part.rounding, part.kernels)

    @torch.no_grad()
    def __call__(self, clean: Tensor, seed: int) -> Tensor:
        """Damaged copies of `(B, 3, H, W)`, on its device.

        Returns:
            `(B, 3, H / shrink, W / shrink)`.
        """
        chance = torch.Generator().manual_seed(seed)
        noise = torch.Generator(clean.device).manual_seed(seed)
        kinds = self._kinds(len(clean), chance)
        degraded = clean.clone()
        for kind, (_, degradation, values) in enumerate(self._degradations):
            rows = (kinds == kind).nonzero().flatten().to(clean.device)
            if len(rows):
                parameters = draw(degradation, values, len(rows), chance)
                degraded[rows] = degradation.apply(clean[rows], parameters, noise)
        return rounded(shrunk(degraded, self.shrink), self.rounding)

    def kinds(self, batch: int, seed: int) -> Tensor:
        """Which of the degradations, by number, each of `batch` patches gets with a seed; -1 for none: `(batch,)`."""
        return self._kinds(batch, torch.Generator().manual_seed(seed))

    def _kinds(self, batch: int, chance: torch.Generator) -> Tensor:
        kinds = torch.randint(max(1, len(self._degradations)), (batch,), generator=chance)
        kinds[torch.rand(batch, generator=chance) < self.clean] = -1
        return kinds


def named_degradations(
    names: Sequence[str], kernels: Path | None = None
) -> list[tuple[str, Degradation, dict[str, float]]]:
    """What a recipe damages with.

    Args:
        names: Of the catalogue, with parameters where they are not to be drawn.
        kernels: Point spread functions, see `degradations.given_kernels.read_kernels`.

    Returns:
        For each the name that scores give it, and what `degradations.parsing.draw` wants.

    Raises:
        DegradationError: A name is not known, or the kernels cannot be used.
    """
    found = [(name, *parse(name)) for name in names]
    return found if kernels is None else [*found, (GivenKernels.name, GivenKernels.of(kernels), {})]


def shrunk(pictures: Tensor, factor: int) -> Tensor:
    """`(B, 3, H, W)` to `(B, 3, H / factor, W / factor)`, antialiased bicubic, in [0, 1]."""
    height, width = pictures.shape[-2:]
    return pictures if factor == 1 else resized(pictures, height // factor, width // factor).clamp(0.0, 1.0)
