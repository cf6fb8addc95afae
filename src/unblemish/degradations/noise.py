"""Noise: Gaussian in colour and in gray, Poisson, salt and pepper."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, per_picture

_SIGMA = ParameterSpec(50, 10, 50, "of the range 0..255", "standard deviation", maximum=255)


def _gaussian(clean: Tensor, sigma: Tensor, channels: int, generator: torch.Generator) -> Tensor:
    """Adds normal noise of `channels` channels, 1 (the same in all colours) or 3."""
    batch, _, height, width = clean.shape
    noise = torch.randn(batch, channels, height, width, generator=generator, device=clean.device)
    return clean + noise.mul_(per_picture(sigma / 255.0, clean))


class GaussianNoise(Degradation):
    """Additive normal noise, independent in every pixel and colour; range as published with GRIDS."""

    name = "gaussian_noise"
    title = "Gaussian noise"
    specs: Mapping[str, ParameterSpec] = {"sigma": _SIGMA}

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return _gaussian(clean, parameters["sigma"], 3, generator)


class GrayGaussianNoise(Degradation):
    """Additive normal noise, independent in every pixel, the same in the three colours."""

    name = "gray_gaussian_noise"
    title = "Gaussian noise (gray)"
    specs: Mapping[str, ParameterSpec] = {"sigma": _SIGMA}

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        return _gaussian(clean, parameters["sigma"], 1, generator)


class PoissonNoise(Degradation):
    """Photon noise: Poisson(x 10^L) / 10^L, white being 10^L photons.

    The published function has L = 2, while L = 1.5 fits the table in GRIDS; `sample` draws between the two.
    """

    name = "poisson_noise"
    title = "Poisson noise"
    specs: Mapping[str, ParameterSpec] = {
        "exponent": ParameterSpec(
            1.5, 1.5, 2.0, "decimal exponent", "L, where white is 10^L photons", minimum=0, maximum=6
        )
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        photons = per_picture(10.0 ** parameters["exponent"], clean)
        return torch.poisson(clean.clamp(min=0.0) * photons, generator=generator) / photons


class SaltAndPepper(Degradation):
    """Pixels replaced by white or black, half of them each, in all colours at once; density as published."""

    name = "salt_and_pepper"
    title = "S&P noise"
    specs: Mapping[str, ParameterSpec] = {
        "density": ParameterSpec(0.05, 0.05, 0.05, "share of the pixels", "pixels replaced", maximum=1)
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        batch, _, height, width = clean.shape
        draw = torch.rand(batch, 1, height, width, generator=generator, device=clean.device)
        half = per_picture(0.5 * parameters["density"], clean)
        return torch.where(draw < 2.0 * half, (draw < half).to(clean.dtype), clean)
