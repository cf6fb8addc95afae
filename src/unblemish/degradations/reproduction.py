"""Traces of how a picture was reproduced: a printer's screen, and the two fields of a video frame.

No paper's: they stand for damage that no network treats.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, per_picture

_ANGLES = (15.0, 75.0, 0.0)
"""Of the screens of cyan, magenta and yellow, which take away red, green and blue, degrees."""


class Halftone(Degradation):
    """A scan of four-colour print without black: dots whose size says how dark it is. The mean tone stays."""

    name = "halftone"
    title = "Halftone"
    specs: Mapping[str, ParameterSpec] = {
        "period": ParameterSpec(5, 3, 8, "pixels", "distance of the dots", minimum=2, maximum=100),
        "slope": ParameterSpec(3, 1.5, 4, "times", "sharpness of the dots' edges", maximum=100),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        height, width = clean.shape[-2:]
        y = torch.arange(height, device=clean.device, dtype=torch.float32)[:, None]  # (H, 1)
        x = torch.arange(width, device=clean.device, dtype=torch.float32)  # (W,)
        turn = torch.deg2rad(torch.tensor(_ANGLES, device=clean.device))[:, None, None]  # (3, 1, 1)
        period = per_picture(parameters["period"], clean)  # (B, 1, 1, 1)
        along, across = (x * turn.cos() + y * turn.sin()) / period, (y * turn.cos() - x * turn.sin()) / period
        # Two triangle waves in [0, 1]; the distribution function of their mean makes all tones of it equally frequent.
        mean = (_triangle(along) + _triangle(across)) / 2
        screen = torch.where(mean < 0.5, 2 * mean.square(), 1 - 2 * (1 - mean).square())  # (B, 3, H, W)
        return 0.5 + per_picture(parameters["slope"], clean) * (clean - screen)


def _triangle(phase: Tensor) -> Tensor:
    """0 at whole numbers, 1 halfway between them."""
    return 1 - (2 * (phase - phase.floor()) - 1).abs()


class Interlacing(Degradation):
    """A video frame of two fields: every second row was taken a moment later, and what moves is shifted there."""

    name = "interlacing"
    title = "Interlacing"
    specs: Mapping[str, ParameterSpec] = {
        "shift": ParameterSpec(
            5, 2, 10, "pixels", "movement between the fields, to the right", integer=True, minimum=-200, maximum=200
        )
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        columns = torch.arange(clean.shape[-1], device=clean.device)
        shift = per_picture(parameters["shift"], clean).long()  # (B, 1, 1, 1)
        found = (columns - shift).clamp(0, clean.shape[-1] - 1)  # (B, 1, 1, W)
        later = clean[..., 1::2, :]  # (B, 3, H // 2, W)
        damaged = clean.clone()
        damaged[..., 1::2, :] = later.gather(3, found.expand_as(later))
        return damaged
