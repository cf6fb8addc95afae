"""What a camera does around a blur: light adds up before it is encoded, and the sensor adds noise.

The transfer function is that of IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unblemish.degradations.base import Parameters, ParameterSpec, choice, per_picture
from unblemish.degradations.noise import GaussianNoise

LIGHTS = ("gamma", "linear")
"""What is blurred, by the value of the parameter `light`: pixels as they are encoded, or the light they stand for."""

NOISE = ParameterSpec(0, 0, 2, "of the range 0..255", "standard deviation of noise added afterwards", maximum=255)
"""Spec of the parameter `noise` that `exposed` wants."""

LIGHT = choice(LIGHTS, "blur the encoded pixels, or linear light (sRGB)")
"""Spec of the parameter `light` that `exposed` wants."""


def linear_light(encoded: Tensor) -> Tensor:
    """Light in [0, 1] of sRGB values in [0, 1], any shape."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encoded_light(light: Tensor) -> Tensor:
    """The inverse of `linear_light`."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1.0 / 2.4) - 0.055)


def exposed(
    clean: Tensor, parameters: Parameters, generator: torch.Generator, blur: Callable[[Tensor], Tensor]
) -> Tensor:
    """Blurs pictures in the light that is asked for, then adds noise to their encoded values.

    Args:
        clean: `(B, 3, H, W)`, [0, 1].
        parameters: Hold `noise` and `light`, see `NOISE` and `LIGHT`.
        generator: On the device of `clean`; the noise is drawn from it whatever its strength.
        blur: Maps `(B, 3, H, W)` to the same; what it returns is clamped to [0, 1].

    Returns:
        `(B, 3, H, W)`, not clamped.
    """
    linear = per_picture(parameters["light"], clean) == LIGHTS.index("linear")
    if bool(parameters["light"].any()):
        light = torch.where(linear, linear_light(clean), clean)
        seen = blur(light).clamp(0.0, 1.0)
        seen = torch.where(linear, encoded_light(seen), seen)
    else:
        seen = blur(clean).clamp(0.0, 1.0)
    return GaussianNoise().damage(seen, {"sigma": parameters["noise"]}, generator)
