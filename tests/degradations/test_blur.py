from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from unblemish.degradations.blur import (
    DefocusBlur,
    GaussianBlur,
    MotionBlur,
    OneSidedMotionBlur,
    line_kernels,
)

Damage = Callable[..., Tensor]
ROUNDING = 2e-6  # float32 sums of up to 441 products against float64


@pytest.mark.parametrize("sigma", [0.5, 2.0, 3.0, 4.0])
def test_gaussian_is_opencvs(photograph: Tensor, damage: Damage, as_image: Callable, sigma: float) -> None:
    expected = cv2.GaussianBlur(as_image(photograph), (15, 15), sigma)
    assert np.abs(as_image(damage(GaussianBlur(), photograph, sigma=sigma)) - expected).max() < ROUNDING


def test_gaussian_of_rl_restore_is_opencvs(photograph: Tensor, damage: Damage, as_image: Callable) -> None:
    expected = cv2.GaussianBlur(as_image(photograph), (21, 21), 5.0, borderType=cv2.BORDER_REPLICATE)
    blurred = damage(GaussianBlur(21, "replicate"), photograph, sigma=5.0)
    assert np.abs(as_image(blurred) - expected).max() < ROUNDING


def test_even_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        GaussianBlur(14)


@pytest.mark.parametrize("length", [1, 7, 15, 21])
def test_a_level_line_of_odd_length_is_that_many_equal_taps(length: int) -> None:
    kernel = line_kernels(torch.tensor([float(length)]), torch.tensor([0.0]))[0]
    middle = kernel[kernel.shape[0] // 2]
    assert torch.allclose(middle[middle > 0], torch.full((length,), 1.0 / length))
    assert torch.isclose(kernel.sum(), torch.tensor(1.0))
    assert torch.isclose(middle.sum(), torch.tensor(1.0))


def test_lines_turn_counter_clockwise_and_keep_their_extent() -> None:
    angles = torch.arange(0.0, 180.0, 15.0)
    length = 15.0
    kernels = line_kernels(torch.full_like(angles, length), angles).double()
    offsets = torch.arange(kernels.shape[-1], dtype=torch.float64) - kernels.shape[-1] // 2
    dy, dx = torch.meshgrid(offsets, offsets, indexing="ij")
    for kernel, angle in zip(kernels, torch.deg2rad(angles.double()), strict=True):
        along = dx * angle.cos() - dy * angle.sin()
        across = dx * angle.sin() + dy * angle.cos()
        # A uniform line of length L has the variance L^2 / 12 along itself, up to its sampling on the grid.
        assert (kernel * along**2).sum().item() == pytest.approx(length**2 / 12, rel=0.05)
        assert (kernel * across**2).sum().item() < 0.26
    first, last = kernels[0], kernels[6]
    assert torch.allclose(first, last.T, atol=1e-6)


def test_motion_at_45_degrees_runs_from_lower_left_to_upper_right(damage: Damage) -> None:
    dot = torch.zeros(1, 3, 41, 41)
    dot[..., 20, 20] = 1.0
    moved = damage(MotionBlur(), dot, length=15, angle=45)[0, 0]
    assert moved[15, 25] > 0.0
    assert moved[25, 15] > 0.0
    assert moved[15, 15] == 0.0


def test_one_sided_motion_goes_one_way_and_fades(damage: Damage) -> None:
    dot = torch.zeros(1, 3, 61, 61)
    dot[..., 30, 30] = 1.0
    row = damage(OneSidedMotionBlur(), dot, radius=10, sigma=5, angle=0)[0, 0, 30]
    lit = row.nonzero()[:, 0]
    assert lit.max() - lit.min() == 10
    assert lit.min() == 20 or lit.max() == 40
    taps = row[lit] if lit.max() == 40 else row[lit].flip(0)
    expected = torch.exp(-0.5 * (torch.arange(11) / 5.0) ** 2)
    assert torch.allclose(taps, expected / expected.sum(), atol=1e-6)


def test_defocus_is_a_disk_of_the_radius(damage: Damage) -> None:
    dot = torch.zeros(1, 3, 41, 41)
    dot[..., 20, 20] = 1.0
    for radius in (2.0, 5.5):
        disk = damage(DefocusBlur(), dot, radius=radius)[0, 0].double()
        assert disk.sum().item() == pytest.approx(1.0, abs=1e-6)
        assert torch.allclose(disk, disk.T)
        assert torch.allclose(disk, disk.flip(0))
        # The flat part's height is 1 / area, up to the sampling of the rim.
        assert 1.0 / disk.max().item() == pytest.approx(np.pi * radius**2, rel=0.06)
    still = damage(DefocusBlur(), dot, radius=0.0)
    assert torch.equal(still, dot)
