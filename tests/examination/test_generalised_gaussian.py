from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from unblemish.examination.errors import ExaminationError
from unblemish.examination.generalised_gaussian import (
    GeneralisedGaussian,
    fit_likelihood,
    fit_moments,
    fit_moments_along,
    group_mean,
    kl_divergence,
    log_distance,
)

SHAPES = (0.5, 0.8, 1.0, 1.7, 2.0, 4.0)


def drawn(alpha: float, sigma: float = 3.0, count: int = 60_000) -> torch.Tensor:
    beta = GeneralisedGaussian(alpha, sigma).beta
    return torch.from_numpy(stats.gennorm.rvs(alpha, scale=beta, size=count, random_state=1))


@pytest.mark.parametrize("alpha", SHAPES)
def test_density_and_scale_are_those_of_scipy(alpha: float) -> None:
    density = GeneralisedGaussian(alpha, 0.7)
    x = np.linspace(-4, 4, 101)
    expected = stats.gennorm.logpdf(x, alpha, scale=density.beta)
    np.testing.assert_allclose(density.log_density(torch.from_numpy(x)).numpy(), expected, rtol=1e-10)
    assert stats.gennorm.std(alpha, scale=density.beta) == pytest.approx(0.7)


@pytest.mark.parametrize("alpha", SHAPES)
def test_likelihood_is_maximised_as_by_scipy(alpha: float) -> None:
    x = drawn(alpha, count=4000)
    found = fit_likelihood(x)
    shape, _, scale = stats.gennorm.fit(x.numpy(), floc=0)
    assert found.alpha == pytest.approx(shape, rel=1e-3)
    assert found.beta == pytest.approx(scale, rel=2e-3)


@pytest.mark.parametrize("alpha", [1.7, 2.0, 4.0])
def test_moments_find_the_parameters_where_nothing_is_cut(alpha: float) -> None:
    found = fit_moments(drawn(alpha))
    assert found.alpha == pytest.approx(alpha, rel=0.03)
    assert found.sigma == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("alpha", SHAPES)
def test_moments_are_matched_on_the_grid_once_outliers_are_cut(alpha: float) -> None:
    x = drawn(alpha, count=5000).numpy()
    kept = x[np.abs(x - x.mean()) < 5 * x.std()]
    ratio = np.mean(kept**2) / np.mean(np.abs(kept - kept.mean())) ** 2
    grid = np.arange(0.2, 10.0005, 0.001)
    matched = [stats.gennorm.moment(2, a) / stats.gennorm.expect(abs, args=(a,)) ** 2 for a in (0.9, 1.3)]
    gamma = np.vectorize(math.gamma)
    ratios = gamma(1 / grid) * gamma(3 / grid) / gamma(2 / grid) ** 2
    np.testing.assert_allclose(np.interp([0.9, 1.3], grid, ratios), matched, rtol=1e-6)
    found = fit_moments(torch.from_numpy(x))
    assert found.alpha == pytest.approx(grid[np.abs(ratios - ratio).argmin()], abs=6e-4)
    assert found.sigma == pytest.approx(np.sqrt(np.mean(kept**2)))


def test_an_outlier_is_cut_by_moments_and_seen_by_likelihood() -> None:
    x = drawn(2.0, 1.0, 2000)
    with_outlier = torch.cat([x, torch.tensor([100.0], dtype=x.dtype)])
    assert fit_moments(with_outlier).sigma == pytest.approx(fit_moments(x).sigma)
    assert fit_likelihood(with_outlier).sigma > 1.1 * fit_likelihood(x).sigma


def test_rows_are_fitted_as_one_by_one() -> None:
    rows = torch.stack([drawn(alpha, 0.1 + alpha, 2000) for alpha in SHAPES]).reshape(2, 3, 2000)
    alpha, sigma = fit_moments_along(rows)
    assert alpha.shape == sigma.shape == (2, 3)
    singles = [fit_moments(row) for row in rows.reshape(6, 2000)]
    assert alpha.flatten().tolist() == pytest.approx([s.alpha for s in singles])
    assert sigma.flatten().tolist() == pytest.approx([s.sigma for s in singles])
    coarse, _ = fit_moments_along(rows.bfloat16())
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse.double(), alpha, rtol=0.02, atol=0)


def test_flat_rows_have_finite_parameters() -> None:
    alpha, sigma = fit_moments_along(torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]))
    assert alpha.isfinite().all()
    assert sigma.tolist() == pytest.approx([1e-6, 0.5])


@pytest.mark.parametrize("p", [(0.7, 1.0), (1.3, 0.4), (2.0, 2.0)])
@pytest.mark.parametrize("q", [(0.9, 1.5), (2.0, 1.0), (3.0, 0.8)])
def test_divergence_is_the_integral(p: tuple[float, float], q: tuple[float, float]) -> None:
    one, other = GeneralisedGaussian(*p), GeneralisedGaussian(*q)

    def integrand(x: float) -> float:
        at = stats.gennorm.logpdf(x, one.alpha, scale=one.beta)
        return math.exp(at) * (at - stats.gennorm.logpdf(x, other.alpha, scale=other.beta))

    half, _ = integrate.quad(integrand, 0, 60 * one.sigma, limit=300)
    assert kl_divergence(one, other) == pytest.approx(2 * half, rel=1e-5)


def test_divergence_is_nought_for_equals_asymmetric_and_never_infinite() -> None:
    one, other = GeneralisedGaussian(0.8, 1.0), GeneralisedGaussian(1.5, 2.0)
    assert kl_divergence(one, one) == pytest.approx(0, abs=1e-12)
    assert kl_divergence(one, other) != pytest.approx(kl_divergence(other, one), rel=0.05)
    assert math.isfinite(kl_divergence(GeneralisedGaussian(0.2, 1e6), GeneralisedGaussian(10, 1e-6)))


def test_distance_scale() -> None:
    assert log_distance(0) == pytest.approx(0)
    assert log_distance(0.1) == pytest.approx(4, abs=1e-4)
    assert log_distance(0.0016) == pytest.approx(2.2, abs=0.01)


def test_a_group_is_the_mean_of_its_members() -> None:
    mean = group_mean([GeneralisedGaussian(1, 2), GeneralisedGaussian(2, 4)])
    assert (mean.alpha, mean.sigma) == (1.5, 3)
    with pytest.raises(ExaminationError, match="without members"):
        group_mean([])


@pytest.mark.parametrize("bad", [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_impossible_parameters(bad: tuple[float, float]) -> None:
    with pytest.raises(ExaminationError, match="finite"):
        GeneralisedGaussian(*bad)


@pytest.mark.parametrize("fit", [fit_moments, fit_likelihood])
@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [1.0, math.nan]])
def test_values_that_cannot_be_fitted(fit, values: list[float]) -> None:
    with pytest.raises(ExaminationError, match="at least two finite values"):
        fit(torch.tensor(values))
