from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.deconvolution.observation import Observation

GENERATOR = torch.Generator().manual_seed(0)
Y = torch.rand(2, 3, 19, 26, generator=GENERATOR, dtype=torch.float64)
KERNELS = torch.rand(2, 5, 9, generator=GENERATOR, dtype=torch.float64)
KERNELS /= KERNELS.sum((1, 2), keepdim=True)


def test_the_blur_is_a_true_convolution_inside_the_scene() -> None:
    observation = Observation(Y, KERNELS)
    scene = torch.rand(2, 3, 23, 34, generator=GENERATOR, dtype=torch.float64)
    found = observation.blur(scene)
    for picture, kernel, blurred in zip(scene, KERNELS, found, strict=True):
        wanted = [convolve2d(channel, kernel, mode="valid") for channel in picture.numpy()]
        np.testing.assert_allclose(blurred.numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("kernel", [KERNELS, KERNELS[0], KERNELS[:, :, :1], KERNELS[0, :1, :1]])
def test_the_gradient_is_that_of_autograd(kernel: torch.Tensor) -> None:
    observation = Observation(Y, kernel)
    scene = torch.rand(observation.start().shape, generator=GENERATOR, dtype=torch.float64, requires_grad=True)
    residual = observation.blur(scene) - Y
    (wanted,) = torch.autograd.grad(0.5 * residual.square().sum(), scene)
    torch.testing.assert_close(observation.gradient(residual.detach()), wanted)


def test_the_bound_on_how_much_a_change_is_enlarged_holds() -> None:
    kernel = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]], dtype=torch.float64)
    observation = Observation(Y, kernel)
    assert observation.lipschitz == pytest.approx(81)
    scene = torch.rand(observation.start().shape, generator=GENERATOR, dtype=torch.float64)
    for _ in range(30):  # comes near the largest eigenvalue
        scene = observation.gradient(observation.blur(scene))
        enlarged = float(scene.norm())
        scene /= enlarged
    assert 60 < enlarged <= 81
    assert Observation(Y, KERNELS).lipschitz == pytest.approx(1)


def test_the_picture_lies_in_the_middle_of_the_scene() -> None:
    observation = Observation(Y, KERNELS)
    start = observation.start()
    assert start.shape == (2, 3, 23, 34)
    assert torch.equal(observation.picture(start), Y)
    assert torch.equal(start[..., 0, :4], Y[..., :1, 0].expand(2, 3, 4))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (torch.ones(4, 5), "4 x 5 taps has no middle"),
        (torch.ones(3, 5, 5), "3 kernels do not go with 2 pictures"),
        (torch.zeros(5, 5), "empty"),
        (torch.full((5, 5), torch.nan), "numbers that are none"),
    ],
)
def test_what_is_no_kernel_is_refused(kernel: torch.Tensor, message: str) -> None:
    with pytest.raises(DeconvolutionError, match=message):
        Observation(Y, kernel)
