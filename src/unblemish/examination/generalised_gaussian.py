"""The zero-mean generalised Gaussian distribution: density, fits, divergence.

GRIDS (Cao et al., ECCV 2024, Eq. 1) describes a set of deep representations by its shape alpha and its standard
deviation sigma. The paper leaves the fit and the scale of distances to SRGA (Liu et al., "Evaluating the
Generalization Ability of Super-Resolution Networks", 2023), whose moment matching is followed here: outliers are cut
once, the shape is looked up on a grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from unblemish.examination.errors import ExaminationError

SMALLEST_SHAPE, LARGEST_SHAPE, SHAPE_STEP = 0.2, 10.0, 0.001
"""Grid of alpha; 1 is the Laplace distribution, 2 the Gaussian one, the uniform one lies at infinity."""

OUTLIER = 5.0
"""Standard deviations from the mean at which a value counts as an outlier."""

_FLOOR = 1e-12
"""Least variance: values that are all equal get a tiny sigma rather than none."""


@dataclass(frozen=True, slots=True)
class GeneralisedGaussian:
    """GRIDS, Eq. 1, with mean 0.

    Attributes:
        alpha: Shape, above 0.
        sigma: Standard deviation, above 0.

    Raises:
        ExaminationError: A parameter is not a positive finite number.
    """

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("sigma", self.sigma)):
            if not (math.isfinite(value) and value > 0):
                raise ExaminationError(f"a signature needs a finite {name} above 0, not {value}; measure it again")

    @property
    def beta(self) -> float:
        """Scale: sigma sqrt(Gamma(1 / alpha) / Gamma(3 / alpha))."""
        return self.sigma * math.exp(0.5 * (math.lgamma(1 / self.alpha) - math.lgamma(3 / self.alpha)))

    def log_density(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at `x` of any shape; float64, the same shape."""
        constant = math.log(self.alpha / (2 * self.beta)) - math.lgamma(1 / self.alpha)
        return constant - (x.double().abs() / self.beta) ** self.alpha


def fit_moments(x: Tensor) -> GeneralisedGaussian:
    """Moment matching as in SRGA: sigma^2 = E x^2, and alpha from E x^2 / (E |x - E x|)^2.

    Args:
        x: At least two values, any shape and floating dtype.

    Raises:
        ExaminationError: Values are missing, not finite or all zero.
    """
    alpha, sigma = fit_moments_along(_checked(x))
    return GeneralisedGaussian(float(alpha), float(sigma))


def fit_moments_along(x: Tensor) -> tuple[Tensor, Tensor]:
    """`fit_moments` for many rows at once, with alpha interpolated between grid points.

    Args:
        x: `(..., N)`, floating point, finite, on any device; float32 is computed in float32.

    Returns:
        alpha and sigma, each `(...)`, float32 or float64. Rows of equal values get a sigma of at least 1e-6.
    """
    x = x if x.dtype == torch.float64 else x.float()
    deviation = (x - x.mean(-1, keepdim=True)).abs()
    kept = deviation < OUTLIER * deviation.square().mean(-1, keepdim=True).sqrt()  # (..., N)
    kept |= ~kept.any(-1, keepdim=True)  # equal values deviate by 0, which is not below 5 times 0
    count = kept.sum(-1)
    inside = torch.where(kept, x, 0.0)
    second = inside.square().sum(-1) / count
    mean = (inside.sum(-1) / count)[..., None]
    first = torch.where(kept, (x - mean).abs(), 0.0).sum(-1) / count
    ratio = second.clamp(min=_FLOOR) / first.square().clamp(min=_FLOOR)
    return shape_of_ratio(ratio), second.clamp(min=_FLOOR).sqrt()


def fit_likelihood(x: Tensor) -> GeneralisedGaussian:
    """Maximum likelihood, alpha within the grid's limits; no value is cut, tails are part of the model.

    For a given alpha the best scale has beta^alpha = alpha E |x|^alpha. What is left is a function of alpha with one
    maximum, which golden-section search over log alpha finds.

    Args:
        x: As for `fit_moments`.

    Raises:
        ExaminationError: As for `fit_moments`.
    """
    magnitude = _checked(x).abs().flatten()
    unit = float(magnitude.mean())
    logs = (magnitude / unit).log()  # (N,), -inf for zeros, whose powers are then 0

    def log_scale(alpha: float) -> float:
        """log(beta / unit)."""
        return (math.log(alpha) + math.log(float((alpha * logs).exp().mean()))) / alpha

    def cost(position: float) -> float:
        """Negative mean log-likelihood, up to a constant, at log alpha."""
        alpha = math.exp(position)
        return log_scale(alpha) + math.lgamma(1 / alpha) - position + 1 / alpha

    low, high = math.log(SMALLEST_SHAPE), math.log(LARGEST_SHAPE)
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = cost(left), cost(right)
    while high - low > 1e-5:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = cost(right)
    alpha = math.exp(0.5 * (low + high))
    spread = 0.5 * (math.lgamma(3 / alpha) - math.lgamma(1 / alpha))  # log(sigma / beta)
    return GeneralisedGaussian(alpha, unit * math.exp(log_scale(alpha) + spread))


def kl_divergence(p: GeneralisedGaussian, q: GeneralisedGaussian) -> float:
    """KL(p || q) in nats, closed form; not symmetric, 0 only for equal distributions.

    E_p log(p / q) = log(alpha_p beta_q Gamma(1 / alpha_q) / (alpha_q beta_p Gamma(1 / alpha_p)))
    + (beta_p / beta_q)^alpha_q Gamma((alpha_q + 1) / alpha_p) / Gamma(1 / alpha_p) - 1 / alpha_p.
    """
    normaliser = math.lgamma(1 / p.alpha)
    ratio = math.log(p.beta / q.beta)
    constant = math.log(p.alpha / q.alpha) - ratio + math.lgamma(1 / q.alpha) - normaliser
    exponent = q.alpha * ratio + math.lgamma((q.alpha + 1) / p.alpha) - normaliser
    return max(0.0, constant + math.exp(min(exponent, 700.0)) - 1 / p.alpha)


def log_distance(divergence: float) -> float:
    """The scale that GRIDS and SRGA report: log10(KL + 1e-5) + 5; 0 for equal, 4 for a KL divergence of 0.1."""
    return math.log10(divergence + 1e-5) + 5


def group_mean(members: Sequence[GeneralisedGaussian]) -> GeneralisedGaussian:
    """A group's distribution: the mean alpha and the mean sigma of its members (GRIDS, Sec. 5.2).

    Raises:
        ExaminationError: There is no member.
    """
    if not members:
        raise ExaminationError("a group without members has no signature; name at least one degradation")
    count = len(members)
    return GeneralisedGaussian(sum(m.alpha for m in members) / count, sum(m.sigma for m in members) / count)


def _checked(x: Tensor) -> Tensor:
    """`(N,)` float64, once it can be fitted."""
    x = x.double().flatten()
    if len(x) < 2 or not bool(x.isfinite().all()) or not bool(x.any()):
        raise ExaminationError("a fit needs at least two finite values that are not all zero; give more patches")
    return x


def shape_of_ratio(ratio: Tensor) -> Tensor:
    """Alpha for E x^2 / (E |x|)^2 of any shape, by linear interpolation on the grid; clamped to its ends."""
    ratios, shapes = (table.to(ratio) for table in _shape_table())
    position = torch.searchsorted(ratios, ratio.contiguous()).clamp(1, len(ratios) - 1)
    below, above = ratios[position - 1], ratios[position]
    weight = ((ratio - below) / (above - below)).clamp(0.0, 1.0)
    return torch.lerp(shapes[position - 1], shapes[position], weight)


@lru_cache(maxsize=1)
def _shape_table() -> tuple[Tensor, Tensor]:
    """Gamma(1 / a) Gamma(3 / a) / Gamma(2 / a)^2, rising, and its a; float64."""
    count = round((LARGEST_SHAPE - SMALLEST_SHAPE) / SHAPE_STEP) + 1
    shapes = torch.linspace(LARGEST_SHAPE, SMALLEST_SHAPE, count, dtype=torch.float64)
    ratios = torch.exp(torch.lgamma(1 / shapes) + torch.lgamma(3 / shapes) - 2 * torch.lgamma(2 / shapes))
    return ratios, shapes
