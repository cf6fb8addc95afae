from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from unblemish.examination.patches import SIDE
from unblemish.examination.spectrum import RINGS, SECTORS, describe, gather


def parts(patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log power by ring, by sector, by sector sorted; of the mean patch."""
    found = describe(gather(patches).mean(0))
    return tuple(found.split((RINGS + 1, SECTORS, SECTORS)))  # pyright: ignore[reportReturnType]


def noise(count: int = 32, seed: int = 0) -> torch.Tensor:
    one = torch.randn(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return (0.5 + 0.1 * one).expand(-1, 3, -1, -1)


def wave(degrees: float, frequency: float = 0.2) -> torch.Tensor:
    """A wave that runs in a direction, 0 across and 90 down."""
    down, across = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    along = across * math.cos(math.radians(degrees)) + down * math.sin(math.radians(degrees))
    return (0.5 + 0.3 * torch.sin(2 * math.pi * frequency * along)).expand(1, 3, -1, -1)


def test_white_noise_is_level_at_its_variance() -> None:
    rings, sectors, _ = parts(noise(200))
    assert rings[1:].exp().tolist() == pytest.approx([0.01] * RINGS, rel=0.15)
    assert sectors.abs().max() < 0.2


def test_a_wave_lies_in_its_ring() -> None:
    for frequency in (0.1, 0.2, 0.4):
        rings, _, _ = parts(wave(0, frequency))
        assert abs(int(rings.argmax()) - int(frequency / 0.5 * RINGS)) <= 1


def test_a_wave_lies_in_its_sector() -> None:
    for degrees in (-64, -41, -15, -4, 0, 4, 19, 56, 90):
        _, sectors, _ = parts(wave(degrees))
        assert int(sectors.argmax()) == round(degrees / 180 * SECTORS) % SECTORS


def test_sectors_turn_with_the_picture_and_sorted_ones_stay() -> None:
    streaked = F.avg_pool2d(noise(64, seed=1), (1, 9), stride=1, padding=(0, 4))  # motion across
    _, sectors, ordered = parts(streaked)
    _, turned, reordered = parts(streaked.rot90(1, (2, 3)))
    assert sectors.max() - sectors.min() > 2
    torch.testing.assert_close(turned, sectors.roll(SECTORS // 2), rtol=0, atol=0.35)
    torch.testing.assert_close(reordered, ordered, rtol=0, atol=0.35)
    assert (turned - sectors).abs().max() > 2


def test_blur_takes_high_frequencies() -> None:
    sharp, _, _ = parts(noise())
    blurred, _, _ = parts(F.avg_pool2d(noise(), 3, stride=1, padding=1, count_include_pad=False))
    assert blurred[-6:].max() < sharp[-6:].min() - 1
    assert (blurred - sharp)[2].abs() < 0.3


def test_brightness_does_not_count_and_constants_are_finite() -> None:
    torch.testing.assert_close(gather(noise() + 0.1), gather(noise()), rtol=1e-3, atol=1e-6)
    for level in (0.0, 1.0):
        assert bool(describe(gather(torch.full((1, 3, SIDE, SIDE), level))).isfinite().all())
