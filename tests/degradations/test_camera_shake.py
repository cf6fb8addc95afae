from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unblemish.degradations import camera_shake
from unblemish.degradations.camera_shake import CameraShake, Movement, RotatingShake

Damage = Callable[..., Tensor]


def dots(height: int, width: int, spacing: int) -> Tensor:
    picture = torch.zeros(1, 3, height, width)
    picture[..., spacing // 2 :: spacing, spacing // 2 :: spacing] = 1.0
    return picture


def around_dots(pictures: Tensor, spacing: int) -> Tensor:
    """What became of each dot: (N, spacing, spacing)."""
    blocks = pictures[0, 0].unfold(0, spacing, spacing).unfold(1, spacing, spacing)
    return blocks.reshape(-1, spacing, spacing)


@pytest.mark.parametrize("path", ["shake", "line"])
def test_a_dot_becomes_the_path_everywhere_alike(damage: Damage, path: str) -> None:
    seen = around_dots(damage(CameraShake(), dots(135, 180, 45), extent=21, path=path), 45)
    torch.testing.assert_close(seen, seen[:1].expand_as(seen), rtol=0.0, atol=2e-6)
    assert seen[0].sum().item() == pytest.approx(1.0, abs=1e-5)
    lit = (seen[0] > 1e-5).nonzero()
    assert (lit.amax(0) - lit.amin(0) + 1).max() in (21, 22)
    offsets = torch.arange(45.0) - 22
    assert (seen[0].sum(0) @ offsets).item() == pytest.approx(0.0, abs=1e-3)
    assert (seen[0].sum(1) @ offsets).item() == pytest.approx(0.0, abs=1e-3)


def test_no_extent_and_no_noise_leave_the_picture(damage: Damage, photograph: Tensor) -> None:
    torch.testing.assert_close(damage(CameraShake(), photograph, extent=1), photograph, rtol=0.0, atol=2e-6)
    still = damage(RotatingShake(), photograph, extent=1, roll=0)
    torch.testing.assert_close(still, photograph, rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("degradation", [CameraShake(), RotatingShake()], ids=lambda one: one.name)
def test_a_longer_path_does_more_harm(
    damage: Damage, photograph: Tensor, psnr: Callable[..., float], degradation: CameraShake | RotatingShake
) -> None:
    scores = [psnr(damage(degradation, photograph, extent=extent), photograph) for extent in (7, 15, 31)]
    assert scores == sorted(scores, reverse=True)
    assert 15 < scores[2] < scores[0] < 40


def test_linear_light_makes_highlights_wider(damage: Damage) -> None:
    seen = [damage(CameraShake(), dots(45, 45, 45), light=light).sum().item() for light in ("gamma", "linear")]
    assert seen[1] > 2 * seen[0]


def test_movements_are_rotations_and_shifts() -> None:
    generator = torch.Generator().manual_seed(0)
    shift, roll = torch.randn(2, 5, 2, generator=generator), 0.1 * torch.randn(2, 5, generator=generator)
    centre, places = 50 * torch.randn(2, 2, generator=generator), 50 * torch.randn(3, 2, generator=generator)
    found = Movement(shift, roll, centre).at(places)
    y, x = (places - centre[:, None]).unbind(2)
    arm = torch.complex(x, -y)[:, :, None]  # the imaginary part grows upwards
    moved = torch.polar(torch.ones_like(roll), roll)[:, None] * arm - arm
    expected = torch.stack([-moved.imag, moved.real], 3) + shift[:, None]
    torch.testing.assert_close(found, expected, rtol=0.0, atol=2e-5)


def test_roll_moves_places_differently_and_about_their_own(damage: Damage) -> None:
    spacing = 61
    picture = dots(244, 305, spacing)
    seen = around_dots(damage(RotatingShake(), picture, extent=9, roll=3, seed=4), spacing)
    assert (seen[0] - seen[-1]).abs().max() > 0.01
    offsets = torch.arange(float(spacing)) - spacing // 2
    for block in seen:
        assert (block.sum(0) @ offsets / block.sum()).item() == pytest.approx(0.0, abs=0.3)
        assert (block.sum(1) @ offsets / block.sum()).item() == pytest.approx(0.0, abs=0.3)
    straight = around_dots(damage(RotatingShake(), picture, extent=9, roll=0, seed=4), spacing)
    torch.testing.assert_close(straight, straight[:1].expand_as(straight), rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("roll", [1, 3])
def test_the_grid_is_fine_enough(
    damage: Damage, photograph: Tensor, psnr: Callable[..., float], monkeypatch: pytest.MonkeyPatch, roll: float
) -> None:
    coarse = damage(RotatingShake(), photograph, extent=15, roll=roll, seed=1)
    monkeypatch.setattr(camera_shake, "_spacing", lambda degrees, reach, side: 4)
    fine = damage(RotatingShake(), photograph, extent=15, roll=roll, seed=1)
    assert psnr(coarse, photograph) < 35
    assert psnr(coarse, fine) > 48
