from __future__ import annotations

import pytest
import torch

from unblemish.degradations.catalogue import create
from unblemish.examination.patches import spread
from unblemish.examination.residuals import BLOCK, LEVELS, MOMENTS, describe, gather


def damaged(picture: torch.Tensor, kind: str, **values: float) -> torch.Tensor:
    degradation = create(kind)
    draw = torch.Generator().manual_seed(0)
    return degradation.apply(picture[None], degradation.fixed(1, **values), draw)[0].mul(255).round() / 255


def described(picture: torch.Tensor) -> dict[str, torch.Tensor]:
    """The description of a picture's mean patch, taken apart."""
    found = describe(gather(spread(*picture.shape[1:]).cut(picture)).mean(0))
    names = {
        "energy": 5, "ratios": 3, "by_level": LEVELS, "levels": LEVELS, "steepest": 2, "border": 2,
        "impulses": 3, "deviation": 2, "flat": 1, "extremes": 2, "chroma": 4, "chroma_ratio": 1,
    }  # fmt: skip
    return dict(zip(names, found.split(tuple(names.values())), strict=True))


@pytest.fixture(scope="module")
def ramp() -> torch.Tensor:
    """Smooth, from black to white."""
    return torch.linspace(0.02, 0.98, 320).expand(3, 128, 320)


def test_noise_raises_the_energy_by_its_variance(scene) -> None:
    flat = torch.full((3, 256, 256), 0.5)
    for sigma in (10, 30):
        energy = described(damaged(flat, "gaussian_noise", sigma=sigma))["energy"][0]
        assert float(energy.exp()) == pytest.approx(36 * sigma**2, rel=0.05)  # the kernel's squares add up to 36
    quiet, loud = (described(damaged(scene(0), "gaussian_noise", sigma=s))["energy"][0] for s in (10, 50))
    assert loud > quiet + 1 > described(scene(0))["energy"][0] + 1


def test_gray_noise_is_told_from_coloured_noise() -> None:
    flat = torch.full((3, 256, 256), 0.5)
    gray, coloured = (described(damaged(flat, kind, sigma=20)) for kind in ("gray_gaussian_noise", "gaussian_noise"))
    assert float(gray["ratios"][2].exp()) == pytest.approx(1, rel=0.05)
    assert float(coloured["ratios"][2].exp()) == pytest.approx(1 / 3, rel=0.05)
    assert coloured["chroma_ratio"] > gray["chroma_ratio"] + 3


def test_only_photon_noise_grows_with_brightness(ramp: torch.Tensor) -> None:
    poisson = described(damaged(ramp, "poisson_noise", exponent=2))["by_level"]
    gaussian = described(damaged(ramp, "gaussian_noise", sigma=10))["by_level"]
    assert poisson[:-1].diff().min() > 0.05  # white cuts the noise of the last bin
    assert poisson[-2] - poisson[0] > 0.6
    assert (gaussian[1:-1] - gaussian[1:-1].mean()).abs().max() < 0.1


def test_jpeg_has_steps_between_blocks(scene) -> None:
    clean = described(scene(1))
    saved = described(damaged(scene(1), "jpeg", quality=10))
    assert clean["border"].abs().max() < 0.1
    assert saved["border"].min() > 0.3
    torch.testing.assert_close(saved["border"], saved["steepest"])
    shifted = described(damaged(scene(1), "jpeg", quality=10)[:, 3:, 3:])
    assert shifted["border"].max() < 0  # a grid elsewhere is seen, but not taken for this one
    assert shifted["steepest"].min() > 0.3


def test_impulses_are_counted(scene) -> None:
    clean, salted = described(scene(2)), described(damaged(scene(2), "salt_and_pepper", density=0.05))
    share = salted["impulses"].exp()
    assert share[1:].tolist() == pytest.approx([0.05] * 2, rel=0.12)
    assert 0.05 < share[0] < 0.07  # some neighbours join in
    assert clean["impulses"][0].exp() < 0.02
    assert clean["impulses"][1].exp() < 1e-3


def test_black_and_white_areas_are_counted() -> None:
    picture = torch.full((3, 64, 64), 0.5)
    picture[:, :16], picture[:, 16:24] = 0.0, 1.0
    white, black = described(picture)["extremes"].exp().tolist()
    assert (white, black) == pytest.approx((8 / 64, 16 / 64), rel=1e-3)


def test_shapes_and_constants() -> None:
    for level in (0.0, 0.5, 1.0):
        found = gather(torch.full((2, 3, 64, 64), level))
        assert found.shape == (2, MOMENTS) == (2, 45)
        assert describe(found).shape == (2, 37)
        assert bool(describe(found).isfinite().all())
    assert BLOCK == 8
