from __future__ import annotations

import numpy as np
import torch

from unblemish.degradations.quantisation import quantise_8bit


def test_levels_are_kept_and_others_rounded_as_numpy_does() -> None:
    levels = torch.arange(256).float() / 255.0
    assert torch.equal(quantise_8bit(levels), levels)
    values = torch.linspace(-0.2, 1.2, 1000)
    expected = np.rint(values.clamp(0, 1).numpy() * np.float32(255)).astype(np.uint8)
    assert np.array_equal((quantise_8bit(values) * 255).round().to(torch.uint8).numpy(), expected)


def test_input_is_untouched() -> None:
    values = torch.tensor([0.123, 2.0])
    quantise_8bit(values)
    assert torch.equal(values, torch.tensor([0.123, 2.0]))
