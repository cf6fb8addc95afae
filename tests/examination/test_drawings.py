from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.examination.drawings import captioned, drawing


@pytest.mark.parametrize("size", [(64, 64), (200, 301), (384, 512), (30, 400)])
@pytest.mark.parametrize("seed", range(8))
def test_drawings_have_shape_range_and_something_on_them(size: tuple[int, int], seed: int) -> None:
    x = drawing(*size, np.random.default_rng(seed))
    assert x.shape == (3, *size)
    assert x.dtype == torch.float32
    assert 0 <= float(x.min()) < float(x.max()) <= 1


def test_drawings_are_various_and_repeatable() -> None:
    found = [drawing(96, 128, np.random.default_rng(seed)) for seed in (0, 1, 2, 3, 0)]
    assert torch.equal(found[0], found[-1])
    assert len({float(x.double().sum()) for x in found[:-1]}) == 4


def test_most_of_a_drawing_is_flat() -> None:
    """What photographs are not: this is why drawings are shown at all."""
    shares = []
    for seed in range(12):
        x = drawing(256, 256, np.random.default_rng(seed))
        shares.append(float(((x[..., 1:] - x[..., :-1]).abs().amax(0) == 0).float().mean()))
    assert np.median(shares) > 0.5


@pytest.mark.parametrize("seed", range(6))
def test_captions_leave_most_of_the_photograph(scene, seed: int) -> None:
    clean = (scene(0, 160, 200) * 255).round() / 255
    x = captioned(clean, np.random.default_rng(seed))
    assert x.shape == clean.shape
    changed = float(((x - clean).abs().amax(0) > 1e-6).float().mean())
    assert 0.001 < changed < 0.5
    assert torch.equal(x, captioned(clean, np.random.default_rng(seed)))
