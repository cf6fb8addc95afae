from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.training.losses import LOSSES

X = np.random.default_rng(0).random((3, 3, 5, 7))
Y = np.random.default_rng(1).random((3, 3, 5, 7))
EXPECTED = {
    "l1": np.mean(np.abs(X - Y)),
    "mse": np.mean((X - Y) ** 2),
    "charbonnier": np.mean(np.hypot(X - Y, 1e-3)),
    "golf_content": np.sum((2 * X - 2 * Y) ** 2) / (3 * 5 * 7),
    "psnr": np.mean([np.log10(np.mean((x - y) ** 2) + 1e-5) for x, y in zip(X, Y, strict=True)]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_value_is_what_numpy_computes(name: str) -> None:
    value = LOSSES[name](torch.from_numpy(X), torch.from_numpy(Y))
    assert value.shape == ()
    assert float(value) == pytest.approx(EXPECTED[name], rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_finite_where_output_equals_clean(name: str) -> None:
    clean = torch.from_numpy(Y)
    output = clean.clone().requires_grad_()
    LOSSES[name](output, clean).backward()
    assert output.grad is not None
    assert bool(output.grad.isfinite().all())


def test_psnr_loss_counts_a_perfect_picture_as_50_db() -> None:
    clean = torch.zeros(1, 3, 4, 4)
    assert float(LOSSES["psnr"](clean, clean)) == pytest.approx(-5.0)
