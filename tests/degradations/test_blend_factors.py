"""Single factors of the blends."""

from __future__ import annotations

import pytest
import torch

from unblemish.degradations.blend_factors import FACTORS
from unblemish.degradations.blends import Blend
from unblemish.degradations.catalogue import create

RANGES = {"blend_blur": (0.0, 5.0), "blend_noise": (0.0, 50.0), "blend_jpeg": (10.0, 100.0)}


@pytest.mark.parametrize("name", FACTORS)
def test_ranges_are_all_that_blends_draw(name: str) -> None:
    """LIRA, Sec. 4.1."""
    drawn = create(name).sample(2000, torch.Generator().manual_seed(0))
    values = drawn[FACTORS[name][1]]
    low, high = RANGES[name]
    assert low <= float(values.min()) < low + 0.01 * (high - low) + 1
    assert high - 0.01 * (high - low) - 1 < float(values.max()) <= high


def test_one_after_the_other_they_are_a_blend() -> None:
    clean = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    values = {"1.sigma": 2.0, "2.sigma": 20.0, "3.quality": 40.0}
    blend = Blend("moderate")
    whole = blend.apply(clean, blend.fixed(2, **values), torch.Generator().manual_seed(1))
    parts, generator = clean, torch.Generator().manual_seed(1)
    for name, value in zip(FACTORS, values.values(), strict=True):
        factor = create(name)
        parts = factor.apply(parts, factor.fixed(2, **{FACTORS[name][1]: value}), generator)
    torch.testing.assert_close(parts, whole)
