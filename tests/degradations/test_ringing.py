from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from scipy.special import j1
from torch import Tensor

from unblemish.degradations.ringing import Ringing, sinc_kernels


def expected_kernel(cutoff: float) -> np.ndarray:
    kernel = np.empty((15, 15))
    for y in range(15):
        for x in range(15):
            r = np.hypot(y - 7, x - 7)
            kernel[y, x] = cutoff**2 / (4 * np.pi) if r == 0 else cutoff * j1(cutoff * r) / (2 * np.pi * r)
    return kernel / kernel.sum()


@pytest.mark.parametrize("cutoff", [0.5, 1.2, np.pi])
def test_kernel_is_scipys(cutoff: float) -> None:
    kernel = sinc_kernels(torch.tensor([cutoff]))[0].double().numpy()
    assert np.abs(kernel - expected_kernel(cutoff)).max() < 1e-7


def test_ringing_is_the_filter_padded_to_21(photograph: Tensor, damage: Callable, as_image: Callable) -> None:
    kernel = np.pad(expected_kernel(1.2), 3)
    expected = cv2.filter2D(as_image(photograph), -1, kernel).clip(0, 1)
    assert np.abs(as_image(damage(Ringing(), photograph)) - expected).max() < 2e-6


def test_an_edge_overshoots_by_more_than_2_percent_of_its_height(damage: Callable) -> None:
    edge = torch.full((1, 3, 40, 40), 0.3)
    edge[..., 20:] = 0.7
    rung = damage(Ringing(), edge)
    assert rung.max() > 0.7 + 0.02 * 0.4
    assert rung.min() < 0.3 - 0.02 * 0.4
