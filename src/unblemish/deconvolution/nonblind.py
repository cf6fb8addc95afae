"""Deconvolution with a known kernel, by gradient descent on the data term and any prior.

Source: Luo, Chen, Qian, "A Deep Optimization Approach for Image Deconvolution" (Golf Optimizer), Eq. 2 and 5: a step
down the data term, then one down the prior, here at the same point, as in regularisation by denoising (Romano, Elad and
Milanfar, 2017). Additions: the scene reaches beyond the picture (see `observation`), and steps gather momentum
(Beck and Teboulle, 2009), which starts anew wherever it leads uphill (O'Donoghue and Candes, 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.deconvolution.observation import Observation
from unblemish.deconvolution.prior import PriorGradient
from unblemish.networks.iterative import relative_update

Advance = Callable[[Tensor, Tensor], Tensor]
"""From a scene `(B, C, H', W')` and the data term's gradient there to a better scene."""


class Deconvolved(NamedTuple):
    """A result, and how it was come by.

    Attributes:
        picture: `(B, C, H, W)`, not clamped.
        residuals: `(N, B)`, ||k * x - y|| after each of the N iterations that were done.
        updates: `(N, B)`, ||x' - x|| / ||x|| of each iteration.
    """

    picture: Tensor
    residuals: Tensor
    updates: Tensor


@torch.no_grad()
def deconvolve(
    y: Tensor,
    kernel: Tensor,
    prior_gradient: PriorGradient,
    *,
    weight: float,
    step: float | None = None,
    iterations: int = 50,
    tolerance: float | None = None,
    momentum: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Deconvolved:
    """Descends x' = x - step * (k^T * (k * x - y) + weight * prior_gradient(x)), from x = y on.

    Args:
        y: Blurred pictures, `(B, C, H, W)` float32 or float64, nominally in [0, 1], on any device.
        kernel: `(K, L)` or `(B, K, L)`, odd sides, of sum 1.
        prior_gradient: See `PriorGradient`; it sees the scene, which is larger than the picture by K - 1 and L - 1.
        weight: Of the prior, from 0; more noise asks for more.
        step: None takes `safe_step`.
        iterations: At most so many, from 1.
        tolerance: Stop once an iteration changes every scene by less than this share of its norm; None never stops.
        momentum: Gather it, which makes iterations count several times, if the prior's gradient is that of a convex
            function. Learned ones seldom are: with a denoiser for G, pictures come out several decibels worse.
        on_progress: Told the finished share of the iterations, 0..1, after each.

    Raises:
        DeconvolutionError: An argument is not possible, or the iterations run away.
    """
    observation = Observation(y, kernel)
    length = safe_step(observation, weight) if step is None else step
    if weight < 0 or not length > 0:
        raise DeconvolutionError(f"weight {weight:g} and step {length:g} are not possible: give 0 or more, and above 0")

    def advance(scene: Tensor, slope: Tensor) -> Tensor:
        return scene - length * (slope + weight * prior_gradient(scene) if weight else slope)

    return descend(
        observation, advance, iterations=iterations, tolerance=tolerance, momentum=momentum, on_progress=on_progress
    )


def safe_step(observation: Observation, weight: float) -> float:
    """1 / (L + weight), L being the most by which a change of the scene is enlarged in the data term's gradient.

    No kernel enlarges more than by the square of the sum of its taps' magnitudes: by 1 if none is negative. The prior's
    gradient is taken to enlarge by 1 at most. Without momentum, 2 does no harm, as has x - G(x) of any G that moves no
    two pictures apart.
    """
    return 1.0 / (observation.lipschitz + weight)


@torch.no_grad()
def descend(
    observation: Observation,
    advance: Advance,
    *,
    iterations: int,
    tolerance: float | None = None,
    momentum: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Deconvolved:
    """The iterations of `deconvolve`, for any kind of step; for proximal ones too.

    Args:
        observation: What is known.
        advance: See `Advance`.
        iterations: As for `deconvolve`, like all that follows.
        tolerance: See there.
        momentum: See there.
        on_progress: See there.

    Raises:
        DeconvolutionError: There is no iteration to do, or the iterations run away.
    """
    if iterations < 1:
        raise DeconvolutionError(f"{iterations} iterations are none: give 1 or more")
    x = point = observation.start()
    residual = at_point = observation.blur(x) - observation.y
    pace = x.new_ones(len(x), 1, 1, 1)
    residuals, updates = [], []
    for number in range(1, iterations + 1):
        after = advance(point, observation.gradient(at_point))
        next_residual = observation.blur(after) - observation.y
        residuals.append(_norm(next_residual))
        updates.append(relative_update(x, after))
        if not bool(residuals[-1].isfinite().all()):
            raise DeconvolutionError(f"the iterations run away (at number {number}): give a smaller step or weight")
        share, pace = _momentum(point, x, after, pace) if momentum else (0.0, pace)
        point = after + share * (after - x)
        at_point = next_residual + share * (next_residual - residual)  # the blur is linear, and costs a transform
        x, residual = after, next_residual
        if on_progress:
            on_progress(number / iterations)
        if tolerance is not None and float(updates[-1].max()) < tolerance:
            break
    return Deconvolved(observation.picture(x), torch.stack(residuals), torch.stack(updates))


def _momentum(point: Tensor, before: Tensor, after: Tensor, pace: Tensor) -> tuple[Tensor, Tensor]:
    """How far to go on in the direction of the last change, 0..1, and the pace that follows: `(B, 1, 1, 1)` each."""
    uphill = ((point - after) * (after - before)).sum((1, 2, 3), keepdim=True) > 0
    pace = torch.where(uphill, torch.ones_like(pace), pace)
    faster = (1 + (1 + 4 * pace.square()).sqrt()) / 2
    return (pace - 1) / faster, faster


def _norm(x: Tensor) -> Tensor:
    """Of each picture: `(B,)`."""
    return x.flatten(1).norm(dim=1)
