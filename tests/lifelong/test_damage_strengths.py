from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from unblemish.lifelong.damage_strengths import DIM, FAINT, OCTAVES, PLACES, strengths, strengths_apart


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_octave_by_octave() -> None:
    """A chequerboard has details of one pixel, and none of two."""
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2
    found = strengths(board.float().expand(1, 3, 16, 16)).exp().view(-1, OCTAVES + 1, 7)
    found[:, :-1] -= FAINT
    found[:, -1] -= DIM
    torch.testing.assert_close(found[:, 0], torch.tensor([0.5] * 4 + [0.0] * 3).expand(PLACES**2, 7))
    torch.testing.assert_close(found[:, 1:-1], torch.zeros(PLACES**2, OCTAVES - 1, 7), rtol=0, atol=1e-6)
    torch.testing.assert_close(found[:, -1], found[:, 0])  # its mean is as large as its details


def test_of_each_colour_of_their_mean_and_of_their_differences() -> None:
    found = strengths(0.1 * noise(1, 3, 64, 64)).exp()[:, :7].mean(dim=0) - FAINT
    torch.testing.assert_close(found[:3], found[:1].expand(3), rtol=0.1, atol=0)
    assert found[3].item() == pytest.approx(found[0].item() / math.sqrt(3), rel=0.1)
    torch.testing.assert_close(found[4:], found[:3] * math.sqrt(2), rtol=0.1, atol=0)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (27, 24)])
def test_any_size_of_a_patch(size: tuple[int, int]) -> None:
    assert strengths(noise(2, 3, *size)).shape == (2 * PLACES**2, 7 * (OCTAVES + 1))


def test_twice_as_strong() -> None:
    """Where the picture shows nothing but its damage; its brightness hardly counts."""
    clean, damage = torch.zeros(4, 3, 32, 32), 10 * noise(4, 3, 32, 32)
    details = (strengths(2 * damage) - strengths(damage))[:, : 7 * OCTAVES]
    assert details.mean().item() == pytest.approx(math.log(2), abs=0.02)
    assert math.log(2) * OCTAVES / (OCTAVES + 1) < strengths_apart(2 * damage, damage, clean).item() < math.log(2)
    assert strengths_apart(damage, damage, clean) == 0


def test_damage_must_vary_as_much() -> None:
    """Damage of the mean strength is apart from mild and strong damage; which picture has which does not matter."""
    clean = torch.full((4, 3, 64, 64), 0.5)
    sigma = torch.tensor([0.02, 0.02, 0.2, 0.2])[:, None, None, None]
    real = clean + sigma * noise(4, 3, 64, 64)
    other = clean + sigma.flip(0) * noise(4, 3, 64, 64, seed=1)
    middling = clean + 0.06 * noise(4, 3, 64, 64, seed=1)
    assert strengths_apart(middling, real, clean) > 5 * strengths_apart(other, real, clean)


def test_strength_on_edges_is_not_strength_everywhere() -> None:
    """Damage of a quarter of the picture, of the same mean strength."""
    clean = torch.full((4, 3, 64, 64), 0.5)
    everywhere, gathered = 0.1 * noise(4, 3, 64, 64), torch.zeros(4, 3, 64, 64)
    gathered[..., :32, :32] = 0.4 * noise(4, 3, 32, 32)
    assert strengths_apart(clean + gathered, clean + everywhere, clean) > math.log(2)


def test_brightness_counts() -> None:
    """A veil takes no details along, and is damage all the same."""
    clean = 0.2 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert strengths_apart(clean, clean + 0.6, clean) > 5 * strengths_apart(clean + 0.5, clean + 0.6, clean) > 0


def test_gradients_reach_generated_damage_alone() -> None:
    clean = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    fake = (clean + 0.1 * noise(2, 3, 16, 16)).requires_grad_()
    strengths_apart(fake, clean, clean).backward()
    assert fake.grad is not None
    assert fake.grad.isfinite().all()
    assert fake.grad.any()
