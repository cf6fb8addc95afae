"""Artefacts of Richardson-Lucy deconvolution with a wrong kernel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, per_picture
from unblemish.degradations.filtering import filter_separably

_SIDE = 5
"""Side of the box-shaped point spread function, pixels."""

_MARGIN = 7
"""Width of the ramp to black around the picture, pixels."""

_EPSILON = 1e-12
"""Keeps the quotient finite where the estimate is 0, as scikit-image does."""


def _box(pictures: Tensor) -> Tensor:
    """Convolves with the box, zero beyond the edges; symmetric, so its own mirror image."""
    taps = torch.full((len(pictures), _SIDE), 1.0 / _SIDE)
    return filter_separably(pictures, taps, "constant")


def _ramp(length: int, device: torch.device) -> Tensor:
    """Factors `(length + 2 * _MARGIN,)` that rise from 0 at the outer edge to 1 inside, and fall again."""
    position = torch.arange(length + 2 * _MARGIN, device=device, dtype=torch.float32)
    return (torch.minimum(position, position.flip(0)) / _MARGIN).clamp(max=1.0)


class RichardsonLucy(Degradation):
    """Richardson-Lucy iterations on a sharp picture, as published with GRIDS: 5 x 5 box, 1 iteration.

    From the flat start of 0.5 the first iteration equals a 5 x 5 box blur wherever the ramp is out of reach;
    further iterations turn it into over-sharpening with halos.
    """

    name = "richardson_lucy"
    title = "R-L"
    specs: Mapping[str, ParameterSpec] = {
        "iterations": ParameterSpec(
            1, 1, 1, "iterations", "Richardson-Lucy steps", integer=True, minimum=1, maximum=200
        )
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        height, width = clean.shape[-2:]
        ramp = _ramp(height, clean.device)[:, None] * _ramp(width, clean.device)
        observed = nn.functional.pad(clean, (_MARGIN,) * 4, mode="replicate") * ramp
        estimate = torch.full_like(observed, 0.5)
        iterations = per_picture(parameters["iterations"], clean)
        for step in range(int(parameters["iterations"].max())):
            updated = estimate * _box(observed / (_box(estimate) + _EPSILON))
            estimate = torch.where(step < iterations, updated, estimate)
        return estimate[..., _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width].contiguous()
