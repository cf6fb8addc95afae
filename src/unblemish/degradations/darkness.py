"""Darkness."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, per_picture


class Darkness(Degradation):
    """Gamma darkening y = x^g, with g as in LIRA (MATLAB's `imadjust`)."""

    name = "darkness"
    title = "Darkness"
    everywhere = True
    specs: Mapping[str, ParameterSpec] = {
        "gamma": ParameterSpec(2.0, 1.5, 2.5, "exponent", "gamma", minimum=0.05, maximum=20)
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return clean.clamp(min=0.0) ** per_picture(parameters["gamma"], clean)
