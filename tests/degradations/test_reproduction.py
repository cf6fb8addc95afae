"""Halftone and interlacing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from unblemish.degradations.reproduction import Halftone, Interlacing


@pytest.mark.parametrize("tone", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("period", [4.3, 5.5, 7.7])
def test_dots_keep_the_mean_tone(damage: Callable, tone: float, period: float) -> None:
    flat = torch.full((1, 3, 240, 240), tone)
    damaged = damage(Halftone(), flat, period=period, slope=100)
    assert (damaged.mean(dim=(0, 2, 3)) - tone).abs().max() < 0.02
    assert ((damaged < 0.01) | (damaged > 0.99)).float().mean() > 0.9


def test_dots_repeat_with_the_period(damage: Callable) -> None:
    damaged = damage(Halftone(), torch.full((1, 3, 64, 64), 0.4), period=8)
    blue = damaged[0, 2]  # upright
    torch.testing.assert_close(blue[:-8], blue[8:], atol=1e-4, rtol=0)
    torch.testing.assert_close(blue[:, :-8], blue[:, 8:], atol=1e-4, rtol=0)
    assert (blue[:-4] - blue[4:]).abs().max() > 0.3
    assert (damaged[0, 0] - blue).abs().max() > 0.3


@pytest.mark.parametrize("shift", [-3, 0, 4])
def test_only_the_later_field_moves(photograph: Tensor, damage: Callable, shift: int) -> None:
    damaged = damage(Interlacing(), photograph, shift=shift)
    torch.testing.assert_close(damaged[..., ::2, :], photograph[..., ::2, :])
    moved, still = damaged[..., 1::2, :], photograph[..., 1::2, :]
    inside = slice(8, -8)
    torch.testing.assert_close(moved[..., inside], still.roll(shift, dims=-1)[..., inside])
    edge = still[..., :1] if shift > 0 else still[..., -1:]
    beyond = moved[..., :shift] if shift > 0 else moved[..., moved.shape[-1] + shift :]
    torch.testing.assert_close(beyond, edge.expand_as(beyond))
