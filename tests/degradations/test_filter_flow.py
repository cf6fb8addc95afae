from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from torch import Tensor

from unblemish.degradations.filter_flow import convolved, convolved_inside, filter_flow
from unblemish.degradations.filtering import normalised

ROUNDING = 2e-6  # float32 transforms against float64 sums


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("size", "side"), [((37, 53), 1), ((37, 53), 15), ((64, 48), 31), ((16, 16), 9)])
def test_convolution_is_scipys(size: tuple[int, int], side: int) -> None:
    pictures, kernels = drawn(2, 3, *size), normalised(drawn(2, side, side, seed=1))
    found = convolved(pictures, kernels).numpy()
    for number in range(2):
        kernel = kernels[number].double().numpy()
        for colour in range(3):
            expected = convolve(pictures[number, colour].double().numpy(), kernel, mode="mirror")
            assert np.abs(found[number, colour] - expected).max() < ROUNDING


def test_kernels_are_mirrored_and_broadcast() -> None:
    picture = torch.zeros(7, 7)
    picture[3, 3] = 1.0
    kernels = drawn(4, 5, 5)
    torch.testing.assert_close(convolved_inside(picture, kernels), kernels[:, 1:4, 1:4], rtol=0.0, atol=ROUNDING)


def rows_of(kernels: Tensor) -> list[Tensor]:
    """(B, rows, columns, K, K) as rows."""
    return list(kernels.unbind(1))


@pytest.mark.parametrize(("size", "spacing"), [((37, 53), 16), ((32, 48), 16), ((5, 41), 64), ((1, 1), 16)])
def test_equal_kernels_make_a_plain_convolution(size: tuple[int, int], spacing: int) -> None:
    pictures, kernels = drawn(2, 3, *size), normalised(drawn(2, 9, 9, seed=1))
    rows, columns = (-(-side // spacing) + 1 for side in size)
    anchors = rows_of(kernels[:, None, None].expand(-1, rows, columns, -1, -1))
    found = filter_flow(pictures, anchors, spacing, 4)
    assert found.shape == pictures.shape
    torch.testing.assert_close(found, convolved(pictures, kernels), rtol=0.0, atol=ROUNDING)


def test_every_pixel_has_the_kernel_interpolated_there() -> None:
    spacing, side = 8, 5
    pictures, kernels = drawn(1, 1, 20, 13), normalised(drawn(1, 4, 3, side, side, seed=1).flatten(0, 2))
    kernels = kernels.reshape(1, 4, 3, side, side)
    found = filter_flow(pictures, rows_of(kernels), spacing, side // 2)[0, 0]
    padded = np.pad(pictures[0, 0].double().numpy(), side // 2, mode="reflect")
    for y in range(20):
        for x in range(13):
            i, j, v, u = y // spacing, x // spacing, y % spacing / spacing, x % spacing / spacing
            four = kernels[0, i : i + 2, j : j + 2].double()
            above, below = ((1 - u) * row[0] + u * row[1] for row in four)
            kernel = ((1 - v) * above + v * below).numpy()[::-1, ::-1]
            assert abs(found[y, x].item() - (padded[y : y + side, x : x + side] * kernel).sum()) < ROUNDING


def test_a_uniform_picture_stays_what_it_is() -> None:
    flat = torch.full((1, 3, 30, 45), 0.7)
    anchors = rows_of(normalised(drawn(1, 3, 4, 11, 11).flatten(0, 2)).reshape(1, 3, 4, 11, 11))
    torch.testing.assert_close(filter_flow(flat, anchors, 16, 5), flat, rtol=0.0, atol=ROUNDING)
