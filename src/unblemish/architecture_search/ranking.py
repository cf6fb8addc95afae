"""How well a search knows its space: ranks by the supernet and by the alphas against separately trained networks.

Sources: Kendall's tau-b and Spearman's rho, as scipy computes them; for the expectation of a random search, Dodge et
al., "Show Your Work: Improved Reporting of Experimental Results", EMNLP 2019, here for draws without repetition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import fmean, stdev

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from unblemish.architecture_search.errors import SearchError
from unblemish.networks.multiscale import FUSION, PARALLEL, SEPARATOR
from unblemish.studies.result import StudyResult, Summary

FEWEST = 4
"""Architectures below which ranks say nothing."""

FEW = 12
"""Architectures below which rank correlations are marked as uncertain."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two orders of the same architectures agree, from -1 to 1.

    Attributes:
        count: Of the architectures.
        tau: Kendall's tau-b.
        tau_p: Probability of such a tau, or one further from 0, if the orders had nothing to do with each other.
        rho: Spearman's rank correlation.
        rho_p: The same probability for it, by Student's t, which is rough for few architectures.
        note: What to mind; empty for nothing.
    """

    count: int
    tau: float
    tau_p: float
    rho: float
    rho_p: float
    note: str


@dataclass(frozen=True, slots=True)
class Regret:
    """What a search gave away against the best architecture that was trained.

    Attributes:
        best: The arm of the highest gain.
        regret: That gain minus the found architecture's, dB. Of many noisy gains the highest is too high by chance,
            so that a regret within the noise is none.
        rank: Of the found architecture, 1 for the best.
        count: Trained architectures.
        mean: Gain of the arms that a random search draws from, dB; None where there is none.
        spread: Its sample standard deviation over them; None for fewer than two.
        expected: Gain of the best of so many random draws, dB, by their number: exact where the whole space is trained,
            else an unbiased estimate.
        noise: Standard deviation of the difference of two arms that seeds alone make, dB; None for one seed.
    """

    best: str
    regret: float
    rank: int
    count: int
    mean: float | None
    spread: float | None
    expected: dict[int, float]
    noise: float | None


def log_likelihood(alphas: Tensor, architecture: str) -> float:
    """What the search itself believes of an architecture: the sum of the logarithms of its modules' alphas.

    Args:
        alphas: `(columns, 2)`, in [0, 1], parallel and fusion module of each column.
        architecture: Of as many columns.

    Returns:
        At most 0, and finite.
    """
    rows = [(PARALLEL, FUSION).index(letter) for letter in architecture.replace(SEPARATOR, "")]
    chosen = alphas.detach().cpu().double().gather(1, torch.tensor(rows)[:, None])  # (columns, 1)
    return float(chosen.clamp_min(torch.finfo(torch.float64).tiny).log().sum())


def trained_gains(result: StudyResult) -> dict[str, Summary]:
    """Validation gain in dB after the last step, over the seeds, of each arm with a finished run."""
    last = {arm: {seed: curve[-1][1] for seed, curve in runs.items()} for arm, runs in result.curves().items()}
    return {arm: summary for arm, gains in last.items() if (summary := Summary.of(gains))}


def agreement(judged: Mapping[str, float], trained: Mapping[str, float]) -> Agreement:
    """How far a judgement orders architectures as their separate trainings do.

    Args:
        judged: Higher is better, by architecture or arm.
        trained: Gain by the same names; names that only one of them has are left out.

    Raises:
        SearchError: There are fewer than `FEWEST`, or all values of one kind are equal.
    """
    names = [name for name in trained if name in judged]
    if len(names) < FEWEST:
        raise SearchError(
            f"{len(names)} trained architectures are too few to compare ranks of; train {FEWEST} or more with "
            "search.baselines.random or search.baselines.exhaustive"
        )
    one, other = ([values[name] for name in names] for values in (judged, trained))
    if len(set(one)) == 1 or len(set(other)) == 1:
        raise SearchError(f"all {len(names)} architectures are judged alike, so that they have no ranks; train longer")
    tau, tau_p = np.asarray(stats.kendalltau(one, other)).tolist()
    rho, rho_p = np.asarray(stats.spearmanr(one, other)).tolist()
    note = f"{len(names)} architectures: too few for more than a hint" if len(names) < FEW else ""
    return Agreement(len(names), tau, tau_p, rho, rho_p, note)


def regret(trained: Mapping[str, float], chosen: str, names: Collection[str], noise: float | None = None) -> Regret:
    """How much better the best trained architecture is than the found one.

    Args:
        trained: Gain by arm, dB.
        chosen: The arm of the found architecture.
        names: Arms that a random search draws from: drawn ones, or all of a whole space.
        noise: See `Regret.noise`.

    Raises:
        SearchError: The found architecture is not among the trained ones.
    """
    if chosen not in trained:
        raise SearchError(f"the found architecture ({chosen}) is not trained yet; finish its training first")
    best = max(trained, key=lambda arm: trained[arm])
    gains = {name: trained[name] for name in names if name in trained}
    return Regret(
        best=best,
        regret=trained[best] - trained[chosen],
        rank=1 + sum(gain > trained[chosen] for gain in trained.values()),
        count=len(trained),
        mean=fmean(gains.values()) if gains else None,
        spread=stdev(gains.values()) if len(gains) > 1 else None,
        expected={draws: expected_best(list(gains.values()), draws) for draws in range(1, len(gains) + 1)},
        noise=noise,
    )


def expected_best(gains: Sequence[float], draws: int) -> float:
    """The best gain that so many draws without repetition find on average.

    The i-th smallest of n gains is the best of k draws in C(i - 1, k - 1) of C(n, k) cases.

    Args:
        gains: Of all that can be drawn.
        draws: From 1 to their number.
    """
    ways = comb(len(gains), draws)
    return sum(gain * (comb(place, draws - 1) / ways) for place, gain in enumerate(sorted(gains)))


def seed_noise(gains: Mapping[str, Summary]) -> float | None:
    """Standard deviation of the difference of two arms' mean gains that seeds alone make, dB, pooled over the arms.

    Seeds of two arms are taken as independent.

    Args:
        gains: By arm, over its seeds.

    Returns:
        None where no arm has two seeds.
    """
    variances = [one.spread**2 / len(one.each) for one in gains.values() if one.spread is not None]
    return sqrt(2 * fmean(variances)) if variances else None
