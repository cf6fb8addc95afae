from __future__ import annotations

import pytest
import torch

from unblemish.degradations.catalogue import operators
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.throughput import measure, smooth_patches


def test_one_row_an_operator() -> None:
    rows = measure(batch=2, size=32, repeats=1)
    assert tuple(row.name for row in rows) == operators()
    for row in rows:
        assert row.patches_per_second > 0.0
        assert row.patches_per_second * row.milliseconds == pytest.approx(2e3)


def test_chosen_ones_in_their_order_and_unknown_ones_refused() -> None:
    chosen = ["jpeg", "mild_blend_with_haze", "haze"]
    assert [row.name for row in measure(chosen, batch=1, size=16, repeats=1)] == chosen
    with pytest.raises(DegradationError, match="no degradation"):
        measure(["sepia"])


def test_patches_are_pictures() -> None:
    patches = smooth_patches(3, 40, torch.Generator().manual_seed(0))
    assert patches.shape == (3, 3, 40, 40)
    assert patches.min() >= 0.0
    assert patches.max() <= 1.0
    assert patches.std() > 0.1
