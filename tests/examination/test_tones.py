from __future__ import annotations

import pytest
import torch

from unblemish.degradations.catalogue import create
from unblemish.examination.tones import describe

COUNT = 13
"""Quantiles of each field."""


def damaged(picture: torch.Tensor, kind: str) -> torch.Tensor:
    degradation = create(kind)
    draw = torch.Generator().manual_seed(0)
    return degradation.apply(picture[None], degradation.fixed(1), draw)[0].mul(255).round() / 255


def fields(picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Luma, dark channel, bright channel, saturation; local contrast; combs."""
    return describe(picture).split((COUNT, COUNT, COUNT, COUNT, 9, 12))


def test_quantiles_of_a_known_picture() -> None:
    ramp = torch.linspace(0, 1, 101).expand(3, 40, 101)
    luma, dark, bright, saturation, _, _ = fields(ramp)
    expected = [0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0]
    assert luma.tolist() == pytest.approx(expected, abs=0.01)
    assert bool((dark <= bright).all())
    assert saturation.abs().max() < 1e-3
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 40, 40)
    assert fields(red)[3].tolist() == pytest.approx([1.0] * COUNT, abs=2e-3)


def test_haze_lifts_the_dark_channel_and_takes_contrast(scene) -> None:
    for seed in range(3):
        clean, hazy = fields(scene(seed)), fields(damaged(scene(seed), "haze"))
        assert bool((hazy[1][:8] > clean[1][:8] + 0.1).all())
        assert bool((hazy[3][4:9] < clean[3][4:9]).all())
        assert bool((hazy[4][:5] < clean[4][:5]).all())


def test_darkness_leaves_combs(scene) -> None:
    for seed in range(3):
        clean, dark = fields(scene(seed)), fields(damaged(scene(seed), "darkness"))
        assert dark[0][6] < clean[0][6] - 0.1
        roughness, empty = dark[5].view(2, 3, 2).unbind(-1)
        clean_roughness, clean_empty = clean[5].view(2, 3, 2).unbind(-1)
        assert bool((roughness[:, 2] > clean_roughness[:, 2] + 0.3).all())  # the bright end is stretched
        assert bool((empty[:, 2] > clean_empty[:, 2] + 1).all())


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (15, 15), (700, 1600)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, None])
def test_any_size_gives_finite_numbers(size: tuple[int, int], level: float | None) -> None:
    draw = torch.Generator().manual_seed(0)
    picture = torch.rand(3, *size, generator=draw) if level is None else torch.full((3, *size), level)
    found = describe(picture)
    assert found.shape == (73,)
    assert bool(found.isfinite().all())


def test_large_pictures_look_like_their_small_copies(scene) -> None:
    small = scene(5, 512, 512)
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(describe(large), describe(small), rtol=0, atol=1e-5)
