"""The factors of LIRA's blends one by one, anywhere in the ranges that blends draw them from.

What experts specialise in (LIRA, Sec. 4.1): Gaussian blur with a deviation up to 5 pixels, Gaussian noise up to 50,
JPEG of quality 10 to 100.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters
from unblemish.degradations.blends import BIN_EDGES
from unblemish.degradations.blur import GaussianBlur
from unblemish.degradations.compression import Jpeg
from unblemish.degradations.noise import GaussianNoise

FACTORS: dict[str, tuple[type[Degradation], str, tuple[float, ...]]] = {
    "blend_blur": (GaussianBlur, "sigma", BIN_EDGES["sigma of the blur"]),
    "blend_noise": (GaussianNoise, "sigma", BIN_EDGES["sigma of the noise"]),
    "blend_jpeg": (Jpeg, "quality", BIN_EDGES["quality"]),
}
"""By name: the operator, its parameter that a blend draws, and the edges of that one's bins."""


class BlendFactor(Degradation):
    """One operator of a blend alone, drawn uniformly from all that any blend may draw.

    Args:
        name: A key of `FACTORS`.
    """

    def __init__(self, name: str) -> None:
        kind, varied, edges = FACTORS[name]
        self._operator = GaussianBlur(21, "replicate") if kind is GaussianBlur else kind()
        self.name = name
        self.title = f"{self._operator.title} of the blends"
        specs = dict(self._operator.specs)
        self.specs = specs | {varied: replace(specs[varied], low=min(edges), high=max(edges))}

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return self._operator.damage(clean, parameters, generator)
