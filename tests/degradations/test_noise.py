from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from skimage import data
from torch import Tensor

from unblemish.degradations.noise import GaussianNoise, GrayGaussianNoise, PoissonNoise, SaltAndPepper

FLAT = torch.full((2, 3, 256, 256), 0.5)
VALUES = FLAT.numel()


@pytest.mark.parametrize("sigma", [10.0, 25.0])
@pytest.mark.parametrize("kind", [GaussianNoise, GrayGaussianNoise])
def test_gaussian_has_the_asked_deviation(damage: Callable, kind: type, sigma: float) -> None:
    noise = (damage(kind(), FLAT, sigma=sigma) - FLAT).double() * 255.0
    # Five standard errors of mean and deviation, for the gray kind's count of independent values.
    assert abs(noise.mean().item()) < 5 * sigma / (VALUES / 3) ** 0.5
    assert abs(noise.std().item() - sigma) < 5 * sigma / (2 * VALUES / 3) ** 0.5
    within = (noise.abs() < sigma).double().mean().item()
    assert within == pytest.approx(0.6827, abs=0.01)


def test_colour_noise_is_independent_and_gray_noise_is_not(damage: Callable) -> None:
    colour = damage(GaussianNoise(), FLAT, sigma=20.0) - FLAT
    gray = damage(GrayGaussianNoise(), FLAT, sigma=20.0) - FLAT
    correlation = torch.corrcoef(colour.transpose(0, 1).flatten(1))
    assert (correlation - torch.eye(3)).abs().max() < 5 / (VALUES / 3) ** 0.5
    assert torch.equal(gray[:, 0], gray[:, 1])
    assert torch.equal(gray[:, 0], gray[:, 2])


def test_gaussian_clips(damage: Callable) -> None:
    white = damage(GaussianNoise(), torch.ones(1, 3, 64, 64))
    assert white.max() == 1.0
    assert (white == 1.0).double().mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("exponent", [1.5, 2.0])
@pytest.mark.parametrize("level", [0.1, 0.4])
def test_poisson_has_mean_x_and_variance_x_over_photons(damage: Callable, exponent: float, level: float) -> None:
    photons = 10.0**exponent
    noisy = damage(PoissonNoise(), FLAT * 2 * level, exponent=exponent).double()
    variance = level / photons
    assert abs(noisy.mean().item() - level) < 5 * (variance / VALUES) ** 0.5
    # The fourth central moment of a Poisson variable is lambda + 3 lambda^2.
    rate = level * photons
    spread = ((rate + 2 * rate**2) / VALUES) ** 0.5 / photons**2
    assert abs(noisy.var().item() - variance) < 5 * spread
    counts = noisy * float(torch.tensor(10.0) ** exponent)
    assert (counts - counts.round())[noisy < 1.0].abs().max() < 1e-4


def test_salt_and_pepper_are_equally_many_and_hit_all_colours(damage: Callable) -> None:
    clean = torch.rand(4, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1
    damaged = damage(SaltAndPepper(), clean)
    hit = (damaged != clean).any(1)
    assert torch.equal(hit, (damaged != clean).all(1))
    spread = 5 * (0.025 * 0.975 / hit.numel()) ** 0.5
    for value in (0.0, 1.0):
        share = (damaged == value).all(1).double().mean().item()
        assert abs(share - 0.025) < spread
    assert ((damaged == 0.0) | (damaged == 1.0)).all(1).sum() == hit.sum()


def test_salt_and_pepper_of_photographs_is_near_18_db(damage: Callable, psnr: Callable) -> None:
    """The inputs' PSNR in the tables that use this noise is 17.9 dB."""
    scores = []
    for image in (data.astronaut(), data.chelsea(), data.coffee()):
        clean: Tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float().div(255.0).contiguous()
        scores.append(psnr(damage(SaltAndPepper(), clean), clean))
    assert 17.0 < sum(scores) / 3 < 18.5, scores
