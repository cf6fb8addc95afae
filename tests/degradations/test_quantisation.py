from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.degradations.quantisation import quantise_8bit, rounded, truncate_8bit


def test_levels_are_kept_and_others_rounded_as_numpy_does() -> None:
    levels = torch.arange(256).float() / 255.0
    assert torch.equal(quantise_8bit(levels), levels)
    values = torch.linspace(-0.2, 1.2, 1000)
    expected = np.rint(values.clamp(0, 1).numpy() * np.float32(255)).astype(np.uint8)
    assert np.array_equal((quantise_8bit(values) * 255).round().to(torch.uint8).numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_truncation_is_that_of_numpys_bytes(dtype: torch.dtype) -> None:
    levels = torch.arange(256, dtype=dtype) / 255.0
    assert torch.equal(truncate_8bit(levels), levels)
    values = torch.linspace(-0.2, 1.2, 1000, dtype=dtype)
    expected = np.clip(values.numpy() * 255, 0, 255).astype(np.uint8)
    assert np.array_equal((truncate_8bit(values) * 255).round().to(torch.uint8).numpy(), expected)


def test_roundings_by_name() -> None:
    values = torch.tensor([-0.2, 0.5 / 255, 1.7 / 255, 1.2])
    assert torch.equal(rounded(values, "nearest"), quantise_8bit(values))
    assert torch.equal(rounded(values, "truncated"), truncate_8bit(values))
    assert torch.equal(rounded(values, "none"), torch.tensor([0, 0.5 / 255, 1.7 / 255, 1]))


def test_input_is_untouched() -> None:
    values = torch.tensor([0.123, 2.0])
    for way in ("nearest", "truncated", "none"):
        rounded(values, way)
    assert torch.equal(values, torch.tensor([0.123, 2.0]))
