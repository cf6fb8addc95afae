from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from unblemish.degradations.resampling import SuperResolution, resized

# torch computes the places of taps in float32, whose steps are 1.5e-5 at pixel 150; a weight changes about as
# much as its place. Pillow uses double precision.
ROUNDING = 2e-5


def pillow(channel: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow in 32-bit float, so that its 8-bit rounding and clipping stay out of the comparison."""
    return np.asarray(Image.fromarray(channel.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", [(68, 76), (41, 50), (300, 311)])
def test_resizing_is_pillows(photograph: Tensor, size: tuple[int, int]) -> None:
    ours = resized(photograph, *size)[0].numpy()
    for channel in range(3):
        expected = pillow(photograph[0, channel].numpy(), *size)
        assert np.abs(ours[channel] - expected).max() < ROUNDING


@pytest.mark.parametrize("factor", [2, 3, 2.5])
def test_down_and_up_is_pillows(photograph: Tensor, damage: Callable, factor: float) -> None:
    height, width = photograph.shape[-2:]
    damaged = damage(SuperResolution(), photograph, factor=factor)[0].numpy()
    for channel in range(3):
        sides = [-(-side // factor) * factor if factor == int(factor) else side for side in (height, width)]
        edges = [(0, int(whole) - side) for whole, side in zip(sides, (height, width), strict=True)]
        whole = np.pad(photograph[0, channel].numpy(), edges, mode="edge")
        small = pillow(whole, *(round(side / factor) for side in whole.shape))
        expected = pillow(small.clip(0, 1), *whole.shape)[:height, :width].clip(0, 1)
        assert np.abs(damaged[channel] - expected).max() < 2 * ROUNDING


def test_factors_are_those_of_each_picture_and_1_changes_nothing(photograph: Tensor, damage: Callable) -> None:
    triple = photograph.repeat(3, 1, 1, 1)
    mixed = SuperResolution().apply(triple, {"factor": torch.tensor([4.0, 1.0, 2.0])}, torch.Generator())
    assert torch.equal(mixed[:1], damage(SuperResolution(), photograph, factor=4))
    assert torch.allclose(mixed[1:2], photograph, rtol=0.0, atol=1e-6)
    assert torch.equal(mixed[2:], damage(SuperResolution(), photograph, factor=2))


def test_a_whole_factor_is_the_same_at_odd_sizes(photograph: Tensor, damage: Callable) -> None:
    even = photograph[..., :64, :64]
    odd = photograph[..., :65, :65]
    inside = (..., slice(0, 48), slice(0, 48))
    assert torch.allclose(
        damage(SuperResolution(), odd, factor=2)[inside], damage(SuperResolution(), even, factor=2)[inside], atol=1e-5
    )
