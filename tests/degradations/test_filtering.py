from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from unblemish.degradations.filtering import (
    Border,
    centred_grid,
    filter_inside,
    filter_separably,
    filter_with_kernels,
    gaussian_taps,
    padded,
)

BORDERS: dict[Border, int] = {
    "reflect": cv2.BORDER_REFLECT_101,
    "replicate": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}
# Sums of up to 225 products of values below 1 in float32, against OpenCV's float64.
ROUNDING = 2e-6


def pictures() -> torch.Tensor:
    return torch.rand(3, 3, 19, 26, generator=torch.Generator().manual_seed(0))


def images() -> list[np.ndarray]:
    return [picture.permute(1, 2, 0).double().numpy() for picture in pictures()]


@pytest.mark.parametrize("border", list(BORDERS))
def test_kernels_agree_with_opencv(border: Border) -> None:
    kernels = torch.rand(3, 7, 7, generator=torch.Generator().manual_seed(1)) / 49
    filtered = filter_with_kernels(pictures(), kernels, border)
    for index, image in enumerate(images()):
        expected = cv2.filter2D(image, -1, kernels[index].double().numpy(), borderType=BORDERS[border])
        assert np.abs(filtered[index].permute(1, 2, 0).numpy() - expected).max() < ROUNDING


@pytest.mark.parametrize("border", list(BORDERS))
def test_separable_agrees_with_opencv(border: Border) -> None:
    taps = torch.rand(3, 5, generator=torch.Generator().manual_seed(1)) / 5
    filtered = filter_separably(pictures(), taps, border)
    for index, image in enumerate(images()):
        tap = taps[index].double().numpy()
        expected = cv2.sepFilter2D(image, -1, tap, tap, borderType=BORDERS[border])
        assert np.abs(filtered[index].permute(1, 2, 0).numpy() - expected).max() < ROUNDING


def test_filter_inside_keeps_only_whole_overlaps() -> None:
    kernels = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(1)) / 25
    inside = filter_inside(pictures(), kernels)
    assert inside.shape == (3, 3, 15, 22)
    assert torch.allclose(inside, filter_with_kernels(pictures(), kernels, "constant")[..., 2:-2, 2:-2], atol=ROUNDING)


def test_taps_agree_with_opencv_and_sigma_0_is_the_identity() -> None:
    taps = gaussian_taps(torch.tensor([0.0, 0.7, 3.0, 5.0]), 21)
    assert taps[0].tolist() == [0.0] * 10 + [1.0] + [0.0] * 10
    for row, sigma in zip(taps[1:], (0.7, 3.0, 5.0), strict=True):
        assert np.abs(row.numpy() - cv2.getGaussianKernel(21, sigma)[:, 0]).max() < 1e-7


def test_a_side_too_short_to_mirror_is_replicated() -> None:
    assert torch.equal(padded(pictures(), 19, "reflect"), padded(pictures(), 19, "replicate"))
    assert not torch.equal(padded(pictures(), 18, "reflect"), padded(pictures(), 18, "replicate"))


def test_grid_is_centred() -> None:
    dy, dx = centred_grid(2)
    assert dy.shape == dx.shape == (5, 5)
    assert dy[:, 0].tolist() == dx[0].tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
