"""Weather: haze and rain."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, choice, per_picture
from unblemish.degradations.blur import line_kernels
from unblemish.degradations.filtering import filter_inside

DEPTHS = ("radial", "constant", "ramp")
"""Depth models of `Haze`, by the value of its parameter `depth`."""

_PATCH = 64
"""Side of the patches for which the pseudo depth was made, pixels."""


def depth_map(model: str, height: int, width: int) -> Tensor:
    """A made-up depth, in the unit of 1 / beta.

    "radial" is the widespread pseudo depth sqrt(s) - 0.04 r of a patch with the longer side s = 64 pixels, r
    being the distance from its centre: 8 there, about 6.2 in the corners. Pictures of another size get the
    same depths, stretched: the formula itself would make anything large opaque. "constant" is 8 everywhere,
    "ramp" runs from 12 in the top row (far away) to 4 in the bottom row.

    Args:
        model: One of `DEPTHS`.
        height: H.
        width: W.

    Returns:
        `(H, W)`, float32, on the CPU.
    """
    if model == "constant":
        return torch.full((height, width), 8.0)
    if model == "ramp":
        return torch.linspace(12.0, 4.0, height)[:, None].repeat(1, width)  # (H, W)
    scale = _PATCH / max(height, width)
    dy = (torch.arange(height) - 0.5 * height)[:, None] * scale  # (H, 1)
    dx = (torch.arange(width) - 0.5 * width)[None, :] * scale  # (1, W)
    return _PATCH**0.5 - 0.04 * torch.hypot(dy, dx)


class Haze(Degradation):
    """Atmospheric scattering, I = J t + A (1 - t) with t = exp(-beta d).

    beta as in LIRA (Liu et al., "LIRA: Lifelong Image Restoration from Unknown Blended Distortions"), which
    leaves A and the depth open: A is drawn from 0.7..1; 0.5 is the value widespread with the radial depth.
    """

    name = "haze"
    title = "Haze"
    everywhere = True
    specs: Mapping[str, ParameterSpec] = {
        "beta": ParameterSpec(0.08, 0.05, 0.25, "per unit of depth", "scattering", maximum=10),
        "airlight": ParameterSpec(0.85, 0.7, 1.0, "of the range 0..1", "brightness of the haze", maximum=1),
        "depth": choice(DEPTHS, "depth model"),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        height, width = clean.shape[-2:]
        models, which = parameters["depth"].long().unique(return_inverse=True)
        maps = torch.stack([depth_map(DEPTHS[int(model)], height, width) for model in models]).to(clean)
        depth = maps[which.to(clean.device)][:, None]  # (B, 1, H, W)
        transmission = torch.exp(-per_picture(parameters["beta"], clean) * depth)
        airlight = per_picture(parameters["airlight"], clean)
        return airlight + (clean - airlight) * transmission


class RainStreaks(Degradation):
    """Falling drops, drawn out by the exposure: bright streaks added to the picture.

    Drops start at random pixels, also above and beside the picture, each with its own brightness, and become
    anti-aliased lines one pixel wide. No paper's rain is claimed; the ranges run from a shower to heavy rain.
    """

    name = "rain"
    title = "Rain"
    specs: Mapping[str, ParameterSpec] = {
        "density": ParameterSpec(0.005, 0.002, 0.01, "drops a pixel", "number of streaks", maximum=0.2),
        "length": ParameterSpec(17, 9, 25, "pixels", "streak length", integer=True, minimum=1, maximum=101),
        "angle": ParameterSpec(
            10, -30, 30, "degrees from the vertical", "slant, upper end to the right", minimum=-90, maximum=90
        ),
        "intensity": ParameterSpec(0.5, 0.3, 0.8, "of the range 0..1", "brightness of a streak", maximum=1),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        batch, _, height, width = clean.shape
        kernels = line_kernels(parameters["length"], 90.0 - parameters["angle"])
        margin = kernels.shape[-1] - 1
        draw = torch.rand(batch, 1, height + margin, width + margin, generator=generator, device=clean.device)
        density = per_picture(parameters["density"], clean).clamp(min=1e-9)
        # Below the density the draw is uniform again, which gives each drop 0.5..1 of full brightness.
        drops = torch.where(draw < density, 0.5 + 0.5 * draw / density, 0.0)
        gain = per_picture(parameters["intensity"] * parameters["length"], clean)
        return clean + filter_inside(drops, kernels) * gain
