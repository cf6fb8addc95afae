from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from unblemish.degradations.base import Degradation


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """A crop of a photograph with odd sides, (H, W, 3), uint8."""
    return np.ascontiguousarray(data.astronaut()[100:237, 150:303])


@pytest.fixture(scope="session")
def photograph(pixels: np.ndarray) -> Tensor:
    """The same crop, (1, 3, H, W), float32."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div(255.0).contiguous()


@pytest.fixture
def damage() -> Callable[..., Tensor]:
    """Applies a degradation with fixed parameters and a generator of its own."""

    def run(degradation: Degradation, clean: Tensor, seed: int = 0, **values: float | str) -> Tensor:
        parameters = degradation.fixed(len(clean), **values)
        return degradation.apply(clean, parameters, torch.Generator(clean.device).manual_seed(seed))

    return run


@pytest.fixture
def as_image() -> Callable[[Tensor], np.ndarray]:
    """(1, 3, H, W) to (H, W, 3), float64."""

    def convert(pictures: Tensor) -> np.ndarray:
        return pictures[0].permute(1, 2, 0).double().numpy()

    return convert


@pytest.fixture
def psnr() -> Callable[[Tensor, Tensor], float]:
    def compute(a: Tensor, b: Tensor) -> float:
        return float(-10.0 * torch.log10((a - b).double().square().mean()))

    return compute
