from __future__ import annotations

from itertools import combinations
from math import log, sqrt
from statistics import fmean, stdev

import pytest
import torch

from unblemish.architecture_search.errors import SearchError
from unblemish.architecture_search.ranking import agreement, expected_best, log_likelihood, regret, seed_noise
from unblemish.studies.result import Summary

GAINS = {"a": 1.0, "b": 3.0, "c": 2.0, "d": 5.0, "e": 4.0}


def tau_b(one: list[float], other: list[float]) -> float:
    """Kendall's tau-b by its definition."""
    pairs = list(combinations(range(len(one)), 2))
    signs = [((one[i] > one[j]) - (one[i] < one[j]), (other[i] > other[j]) - (other[i] < other[j])) for i, j in pairs]
    score = sum(x * y for x, y in signs)
    return score / sqrt(sum(x != 0 for x, _ in signs) * sum(y != 0 for _, y in signs))


def test_agreement_is_that_of_the_definitions() -> None:
    judged = {"a": 0.1, "b": 0.1, "c": 0.3, "d": 0.9, "e": 0.2, "elsewhere": 7.0}
    found = agreement(judged, GAINS)
    assert found.count == 5
    assert found.tau == pytest.approx(tau_b([judged[name] for name in GAINS], list(GAINS.values())))
    ranks = [1.5, 1.5, 4.0, 5.0, 3.0]
    others = list(GAINS.values())
    covariance = sum((x - 3) * (y - 3) for x, y in zip(ranks, others, strict=True))
    spread = sqrt(sum((x - 3) ** 2 for x in ranks) * sum((y - 3) ** 2 for y in others))
    assert found.rho == pytest.approx(covariance / spread)
    assert 0 < found.tau_p < 1
    assert 0 < found.rho_p < 1
    assert "5 architectures" in found.note


def test_equal_and_opposite_orders() -> None:
    values = {str(number): float(number) for number in range(12)}
    assert agreement(values, values).tau == pytest.approx(1)
    assert agreement(values, values).note == ""
    assert agreement({name: -value for name, value in values.items()}, values).rho == pytest.approx(-1)


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        ({"a": 1.0, "b": 2.0, "c": 3.0}, r"3 trained architectures are too few .*train 4 or more"),
        (dict.fromkeys(GAINS, 1.0), r"all 5 architectures are judged alike"),
    ],
)
def test_orders_that_say_nothing_are_refused(judged: dict[str, float], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        agreement(judged, GAINS)


def test_the_likelihood_is_the_product_of_the_alphas() -> None:
    alphas = torch.tensor([[0.7, 0.3], [0.2, 0.8], [1.0, 0.0]])
    assert log_likelihood(alphas, "PF/P") == pytest.approx(log(0.7 * 0.8))
    assert log_likelihood(alphas, "FP/P") == pytest.approx(log(0.3 * 0.2))
    assert -1000 < log_likelihood(alphas, "PF/F") < -100


@pytest.mark.parametrize("draws", range(1, 6))
def test_a_random_search_finds_the_mean_of_all_its_outcomes(draws: int) -> None:
    gains = list(GAINS.values())
    assert expected_best(gains, draws) == pytest.approx(fmean(max(few) for few in combinations(gains, draws)))


def test_regret_is_the_distance_to_the_best() -> None:
    found = regret(GAINS, "b", ["a", "c", "e"], noise=0.2)
    assert (found.best, found.regret, found.rank, found.count, found.noise) == ("d", 2.0, 3, 5, 0.2)
    assert found.mean == pytest.approx(fmean([1, 2, 4]))
    assert found.spread == pytest.approx(stdev([1, 2, 4]))
    assert list(found.expected) == [1, 2, 3]
    assert found.expected[3] == 4
    assert regret(GAINS, "d", []).regret == 0
    assert regret(GAINS, "d", []).mean is None
    with pytest.raises(SearchError, match="not trained yet; finish its training"):
        regret(GAINS, "f", [])


def test_noise_is_pooled_over_the_arms() -> None:
    several = {"a": {0: 1.0, 1: 3.0}, "b": {0: 2.0, 1: 2.0}, "c": {0: 4.0}}
    gains = {arm: summary for arm, each in several.items() if (summary := Summary.of(each))}
    assert seed_noise(gains) == pytest.approx(sqrt(2 * (stdev([1, 3]) ** 2 / 2 + 0) / 2))
    assert seed_noise({"c": gains["c"]}) is None
