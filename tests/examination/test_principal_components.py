from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.examination import principal_components
from unblemish.examination.errors import ExaminationError
from unblemish.examination.principal_components import principal_scores


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal_components, "CHUNK", 64)


def samples(count: int = 40, dimensions: int = 1000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(count, 30, generator=generator) * torch.linspace(3, 0.3, 30)
    return mixed @ torch.randn(30, dimensions, generator=generator) + 5


def svd_scores(features: torch.Tensor) -> np.ndarray:
    x = features.double().numpy()
    u, s, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    return u * s


@pytest.mark.parametrize("components", [12, 20])
def test_equal_to_a_singular_value_decomposition_up_to_sign(components: int) -> None:
    features = samples()
    before = features.clone()
    found, expected = principal_scores(features, components).numpy(), svd_scores(features)[:, :components]
    assert found.shape == (40, components)
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-3 * np.abs(expected).max())
    assert torch.equal(features, before)


def test_bfloat16_keeps_the_spread() -> None:
    features = samples()
    spread, exact = (principal_scores(x, 20).std(0) for x in (features.bfloat16(), features))
    torch.testing.assert_close(spread, exact, rtol=0.02, atol=0)


def test_there_are_no_more_components_than_samples_allow() -> None:
    scores = principal_scores(samples(5), 300)
    assert scores.shape == (5, 4)
    np.testing.assert_allclose(scores.square().sum().item(), np.square(svd_scores(samples(5))).sum(), rtol=1e-4)


def test_one_sample_has_none() -> None:
    with pytest.raises(ExaminationError, match="give more patches"):
        principal_scores(torch.ones(1, 9))
