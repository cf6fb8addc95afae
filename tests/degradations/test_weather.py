from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unblemish.degradations.weather import DEPTHS, Haze, RainStreaks, depth_map


def test_radial_depth_on_a_patch_of_64_is_the_published_formula() -> None:
    depth = depth_map("radial", 64, 64)
    for y in (0, 17, 32, 63):
        for x in (0, 32, 50):
            assert depth[y, x].item() == pytest.approx(-0.04 * math.hypot(y - 32, x - 32) + math.sqrt(64), abs=1e-5)


def test_depths_keep_their_range_on_large_pictures() -> None:
    large = depth_map("radial", 300, 640)
    assert large.max().item() == pytest.approx(8.0)
    assert large.min() > 6.1
    assert (depth_map("constant", 3, 4) == 8.0).all()
    ramp = depth_map("ramp", 9, 4)
    assert ramp[:, 1].tolist() == [12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0]


@pytest.mark.parametrize("model", DEPTHS)
def test_haze_is_the_scattering_equation(photograph: Tensor, damage: Callable, model: str) -> None:
    hazy = damage(Haze(), photograph, beta=0.12, airlight=0.9, depth=model)
    transmission = torch.exp(-0.12 * depth_map(model, *photograph.shape[-2:]))
    expected = photograph * transmission + 0.9 * (1 - transmission)
    assert torch.allclose(hazy, expected, rtol=0.0, atol=1e-6)


def test_depth_models_mix_in_a_batch(photograph: Tensor, damage: Callable) -> None:
    mixed = Haze().apply(
        photograph.repeat(3, 1, 1, 1),
        {**Haze().fixed(3), "depth": torch.tensor([2.0, 0.0, 2.0])},
        torch.Generator(),
    )
    for index, model in enumerate(("ramp", "radial", "ramp")):
        assert torch.equal(mixed[index : index + 1], damage(Haze(), photograph, depth=model))


def test_rain_only_brightens_by_the_drops_light(damage: Callable) -> None:
    dark = torch.full((4, 3, 600, 600), 0.1)
    layer = damage(RainStreaks(), dark, density=0.02, length=15, angle=20, intensity=0.02) - dark
    assert layer.min() > -1e-6
    assert torch.equal(layer[:, 0], layer[:, 1])
    # A drop spreads the light of 15 pixels of 0.02 x U(0.5, 1); five standard errors of the drops' sum.
    drops = 0.02 * layer[:, 0].numel()
    relative = math.sqrt((0.75**2 + 1 / 48) / drops) / 0.75
    assert layer.double().mean().item() == pytest.approx(0.02 * 15 * 0.02 * 0.75, rel=5 * relative)


def test_rain_falls_along_its_angle(damage: Callable) -> None:
    dark = torch.zeros(1, 3, 120, 120)
    upright = damage(RainStreaks(), dark, density=0.0003, length=21, angle=0)[0, 0]
    lit = upright > 0.01
    # An upright streak is 21 pixels of one column, less where the picture cuts it.
    assert lit.sum() > 12 * lit.any(0).sum()
    for slanted, shift in ((45, -1), (-45, 1)):
        layer = damage(RainStreaks(), dark, density=0.0003, length=21, angle=slanted)[0, 0]
        lean = (layer[1:] * layer[:-1].roll(shift, 1)).sum()
        other = (layer[1:] * layer[:-1].roll(-shift, 1)).sum()
        assert lean > 2 * other


def test_no_drops_no_rain(photograph: Tensor, damage: Callable) -> None:
    assert torch.equal(damage(RainStreaks(), photograph, density=0.0), photograph)
