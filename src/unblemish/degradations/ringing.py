"""Ringing: an ideal circular low-pass filter, cut off in space."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec
from unblemish.degradations.filtering import centred_grid, filter_with_kernels, normalised

_RADIUS = 7
"""Taps on each side: 15 x 15, as published. The published padding with zeros to 21 x 21 changes nothing."""


def sinc_kernels(cutoff: Tensor) -> Tensor:
    """Impulse responses of the circular low-pass, K(r) = w J1(w r) / (2 pi r) and K(0) = w^2 / (4 pi).

    Args:
        cutoff: `(B,)`, w in radians a pixel, on the CPU.

    Returns:
        `(B, 15, 15)`, each divided by its sum.
    """
    distance = torch.hypot(*centred_grid(_RADIUS))
    # Double precision, since J1(w r) / r loses digits in float32 and the kernels cost nothing.
    w = cutoff.double()[:, None, None]  # (B, 1, 1)
    r = distance.double().clamp(min=1e-9)
    response = w * torch.special.bessel_j1(w * r) / (2.0 * math.pi * r)
    response[:, _RADIUS, _RADIUS] = w[:, 0, 0] ** 2 / (4.0 * math.pi)
    return normalised(response).float()


class Ringing(Degradation):
    """Over- and undershoot along edges; cut-off and size are those published with GRIDS."""

    name = "ringing"
    title = "Ringing"
    specs: Mapping[str, ParameterSpec] = {
        "cutoff": ParameterSpec(1.2, 1.2, 1.2, "radians a pixel", "cut-off frequency", minimum=0.3, maximum=math.pi)
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return filter_with_kernels(clean, sinc_kernels(parameters["cutoff"]), "reflect")
