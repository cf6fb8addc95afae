"""Camera shake: a random path of the camera during the exposure, without and with roll."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec
from unblemish.degradations.camera_paths import EXTENT, PATH, drawn_path, path_kernels, radius_of
from unblemish.degradations.exposure import LIGHT, NOISE, exposed
from unblemish.degradations.filter_flow import convolved, filter_flow

_FINEST = 16
"""Pixels between kernels of `RotatingShake` below which a roll gets no finer grid."""


class CameraShake(Degradation):
    """Blur by a random path of the camera, the same in the whole picture, and noise."""

    name = "camera_shake"
    title = "Camera shake"
    specs: Mapping[str, ParameterSpec] = {"extent": EXTENT, "noise": NOISE, "path": PATH, "light": LIGHT}

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        path = drawn_path(parameters, 2, float(parameters["extent"].max()), generator)
        kernels = path_kernels(path, radius_of(path))
        return exposed(clean, parameters, generator, lambda light: convolved(light, kernels))


@dataclass(frozen=True, slots=True)
class Movement:
    """How pictures move during their exposure.

    Attributes:
        shift: `(B, T, 2)`, (y, x) in pixels.
        roll: `(B, T)`, radians, counter-clockwise as the picture is seen.
        centre: `(B, 2)`, what they roll about, (y, x) in pixels.
    """

    shift: Tensor
    roll: Tensor
    centre: Tensor

    def at(self, places: Tensor) -> Tensor:
        """The path of what lies at some places.

        Args:
            places: `(P, 2)`, (y, x) in pixels, on the device of the movement.

        Returns:
            `(B, P, T, 2)`, offsets (y, x) in pixels.
        """
        y, x = (places - self.centre[:, None]).unbind(2)  # (B, P) each
        turn, less = self.roll.sin()[:, None], self.roll.cos()[:, None] - 1.0  # (B, 1, T) each
        dy = less * y[:, :, None] - turn * x[:, :, None]
        dx = turn * y[:, :, None] + less * x[:, :, None]
        return torch.stack([dy, dx], 3) + self.shift[:, None]


class RotatingShake(Degradation):
    """Blur by a random path and roll of the camera about a random place in or near the picture, and noise.

    Kernels are made on a grid of places, and blended between them (`filter_flow`), see `_spacing`.
    """

    name = "rotating_shake"
    title = "Camera shake with roll"
    specs: Mapping[str, ParameterSpec] = {
        "extent": EXTENT,
        "roll": ParameterSpec(1, 0.5, 3, "degrees", "between the ends of the roll", maximum=15),
        "noise": NOISE,
        "path": PATH,
        "light": LIGHT,
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        batch, _, height, width = clean.shape
        degrees, diagonal = float(parameters["roll"].max()), math.hypot(height, width)
        # The farthest corner is one and a half diagonals from the centre of the roll at most.
        reach = float(parameters["extent"].max()) + 1.5 * diagonal * math.radians(degrees)
        path = drawn_path(parameters, 3, reach, generator)
        roll = path[..., 2] * torch.deg2rad(parameters["roll"]).to(path)[:, None]  # (B, T)
        anywhere = 2.0 * torch.rand(batch, 2, generator=generator, device=clean.device) - 0.5
        movement = Movement(path[..., :2], roll, anywhere * torch.tensor([height, width]).to(clean))
        spacing = _spacing(degrees, reach, max(height, width))
        ys, xs = (torch.arange(-(-side // spacing) + 1).to(clean) * spacing for side in (height, width))
        # What lies farthest from the centre moves farthest, so the outermost places say how large kernels get.
        radius = radius_of(movement.at(torch.cartesian_prod(ys[[0, -1]], xs[[0, -1]])))

        def blur(light: Tensor) -> Tensor:
            rows = (torch.stack([y.expand_as(xs), xs], 1) for y in ys)
            return filter_flow(light, (path_kernels(movement.at(row), radius) for row in rows), spacing, radius)

        return exposed(clean, parameters, generator, blur)


def _spacing(degrees: float, reach: float, side: int) -> int:
    """Pixels between kernels, such that those of neighbours differ by two pixels at most.

    Kernels that are very large may differ more: a finer grid would cost much and show little.

    Args:
        degrees: Largest roll.
        reach: Pixels that a point of the picture may travel.
        side: Longer side of the picture, pixels.
    """
    two_pixels = 2.0 / max(math.radians(degrees), 1e-6)
    cells = math.ceil(side / max(two_pixels, 0.5 * reach, _FINEST))
    return math.ceil(side / cells)
