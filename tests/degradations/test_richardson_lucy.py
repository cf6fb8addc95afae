from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from skimage.restoration import richardson_lucy
from torch import Tensor

from unblemish.degradations.richardson_lucy import RichardsonLucy


def scikit_image(image: np.ndarray, iterations: int) -> np.ndarray:
    ramped = np.pad(image, ((7, 7), (7, 7), (0, 0)), mode="linear_ramp")
    box = np.ones((5, 5)) / 25
    channels = [richardson_lucy(ramped[..., c], box, num_iter=iterations) for c in range(3)]
    return np.stack(channels, axis=-1)[7:-7, 7:-7].clip(0, 1)


@pytest.mark.parametrize("iterations", [1, 2, 10])
def test_it_is_scikit_images(photograph: Tensor, damage: Callable, as_image: Callable, iterations: int) -> None:
    restored = as_image(damage(RichardsonLucy(), photograph, iterations=iterations))
    # float32 against float64; the error grows with the iterations
    assert np.abs(restored - scikit_image(as_image(photograph), iterations)).max() < 1e-6 * iterations


def test_one_iteration_is_a_box_blur_inside(photograph: Tensor, damage: Callable, as_image: Callable) -> None:
    box = uniform_filter(as_image(photograph), size=(5, 5, 1))
    restored = as_image(damage(RichardsonLucy(), photograph))
    assert np.abs(restored - box)[2:-2, 2:-2].max() < 1e-6


def test_iterations_are_those_of_each_picture(photograph: Tensor, damage: Callable) -> None:
    pair = photograph.repeat(2, 1, 1, 1)
    mixed = RichardsonLucy().apply(pair, {"iterations": torch.tensor([1.0, 4.0])}, torch.Generator())
    assert torch.allclose(mixed[:1], damage(RichardsonLucy(), photograph), atol=1e-6)
    assert torch.allclose(mixed[1:], damage(RichardsonLucy(), photograph, iterations=4), atol=1e-6)
