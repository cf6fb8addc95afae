"""Blur: Gaussian, motion and defocus.

Defaults and ranges of Gaussian and defocus blur are those published with GRIDS (Cao et al., "Grids: Grouped
Multiple-Degradation Restoration with Image Degradation Similarity") and GenLV by the same authors; GRIDS does
not state its motion blur, for which a uniform line of 7 to 21 pixels stands in. `OneSidedMotionBlur` is
GenLV's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec
from unblemish.degradations.filtering import (
    Border,
    centred_grid,
    filter_separably,
    filter_with_kernels,
    gaussian_taps,
    normalised,
)


class GaussianBlur(Degradation):
    """Gaussian low-pass.

    Args:
        size: Taps along each side, odd. 15 is GRIDS's, 21 is RL-Restore's.
        border: "reflect" is GRIDS's (OpenCV's default), "replicate" is RL-Restore's.
    """

    name = "gaussian_blur"
    title = "Gaussian blur"
    specs: Mapping[str, ParameterSpec] = {"sigma": ParameterSpec(3, 2, 4, "pixels", "standard deviation", maximum=100)}

    def __init__(self, size: int = 15, border: Border = "reflect") -> None:
        if size < 1 or size % 2 == 0:
            raise ValueError(f"gaussian_blur: size={size} is not allowed; give an odd number of taps")
        self.size = size
        self.border: Border = border

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return filter_separably(clean, gaussian_taps(parameters["sigma"], self.size), self.border)


def line_kernels(length: Tensor, angle: Tensor) -> Tensor:
    """Uniform anti-aliased lines through the centre.

    A tap's weight falls linearly to 0 within one pixel of the line, and over the last pixel at either end; a
    horizontal line of odd length L is exactly L taps of 1 / L.

    Args:
        length: `(B,)`, pixels, on the CPU.
        angle: `(B,)`, degrees, counter-clockwise from the horizontal, on the CPU.

    Returns:
        `(B, K, K)` with K just large enough for the longest line; each sums to 1.
    """
    dy, dx = centred_grid(int(length.max()) // 2 + 1)
    radians = torch.deg2rad(angle)[:, None, None]  # (B, 1, 1)
    along = dx * radians.cos() - dy * radians.sin()
    across = dx * radians.sin() + dy * radians.cos()
    coverage = (0.5 * length[:, None, None] + 0.5 - along.abs()).clamp(0.0, 1.0)
    return normalised(coverage * (1.0 - across.abs()).clamp(min=0.0))


class MotionBlur(Degradation):
    """Uniform straight motion."""

    name = "motion_blur"
    title = "Motion blur"
    specs: Mapping[str, ParameterSpec] = {
        "length": ParameterSpec(15, 7, 21, "pixels", "path length", integer=True, minimum=1, maximum=201),
        "angle": ParameterSpec(
            45, 0, 180, "degrees", "direction, counter-clockwise from horizontal", minimum=-360, maximum=360
        ),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return filter_with_kernels(clean, line_kernels(parameters["length"], parameters["angle"]), "reflect")


class OneSidedMotionBlur(Degradation):
    """Motion that fades: a one-sided line with Gaussian weights, as in GenLV.

    GenLV's five severities pair (radius, sigma) as (5, 3), (10, 5), (15, 7), (15, 9), (20, 12), in pixels;
    here the two are drawn on their own from those ranges. Not in the catalogue.
    """

    name = "one_sided_motion_blur"
    title = "Motion blur (one-sided)"
    specs: Mapping[str, ParameterSpec] = {
        "radius": ParameterSpec(15, 5, 20, "pixels", "path length", integer=True, minimum=1, maximum=200),
        "sigma": ParameterSpec(7, 3, 12, "pixels", "decay of the path", minimum=0.1, maximum=1000),
        "angle": ParameterSpec(
            45, -90, 90, "degrees", "direction, counter-clockwise from horizontal", minimum=-360, maximum=360
        ),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        radius = parameters["radius"][:, None, None]  # (B, 1, 1)
        radians = torch.deg2rad(parameters["angle"])[:, None, None]  # (B, 1, 1)
        dy, dx = centred_grid(int(radius.max()) + 1)
        along = dx * radians.cos() - dy * radians.sin()
        across = dx * radians.sin() + dy * radians.cos()
        inside = (along + 1.0).clamp(0.0, 1.0) * (radius + 1.0 - along).clamp(0.0, 1.0)
        weight = torch.exp(-0.5 * (along / parameters["sigma"][:, None, None]) ** 2)
        kernels = normalised(inside * weight * (1.0 - across.abs()).clamp(min=0.0))
        return filter_with_kernels(clean, kernels, "reflect")


class DefocusBlur(Degradation):
    """A lens out of focus: an anti-aliased disk."""

    name = "defocus_blur"
    title = "Defocus blur"
    specs: Mapping[str, ParameterSpec] = {"radius": ParameterSpec(2, 2, 2, "pixels", "radius of the disk", maximum=50)}

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        radius = parameters["radius"]
        dy, dx = centred_grid(math.ceil(float(radius.max()) + 0.5))
        # The rim falls from 1 to 0 within the one pixel around the radius.
        disks = (radius[:, None, None] + 0.5 - torch.hypot(dy, dx)).clamp(0.0, 1.0)
        return filter_with_kernels(clean, normalised(disks), "reflect")
