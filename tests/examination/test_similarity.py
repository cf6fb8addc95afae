from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from unblemish.degradations.catalogue import GRIDS_ELEVEN
from unblemish.examination.errors import ExaminationError
from unblemish.examination.generalised_gaussian import GeneralisedGaussian, kl_divergence
from unblemish.examination.signatures import Signature
from unblemish.examination.similarity import PUBLISHED, SimilarityMatrix, compare_with_paper


def signature(name: str, alpha: float, sigma: float) -> Signature:
    density = GeneralisedGaussian(alpha, sigma)
    return Signature(name, density, density, 1.0)


def of_spreads(**sigmas: float) -> SimilarityMatrix:
    return SimilarityMatrix.of([signature(name, 1.0, sigma) for name, sigma in sigmas.items()])


def like_the_paper() -> SimilarityMatrix:
    """Spreads that make what the paper says true."""
    spreads = dict.fromkeys(GRIDS_ELEVEN, 1.3) | {"ringing": 1.0, "richardson_lucy": 1.02, "defocus_blur": 1.04}
    spreads |= {"motion_blur": 1.08, "super_resolution": 1.12, "gaussian_blur": 0.3, "jpeg": 2.5}
    return of_spreads(**spreads | {"salt_and_pepper": 9.0, "inpainting": 1.8, "poisson_noise": 1.4})


def test_divergences_and_distances() -> None:
    one, other = signature("a", 0.8, 1), signature("b", 1.4, 1.5)
    matrix = SimilarityMatrix.of([one, other])
    there, back = (kl_divergence(*pair) for pair in ((one.density, other.density), (other.density, one.density)))
    np.testing.assert_allclose(matrix.divergences, [[0, there], [back, 0]], atol=1e-12)
    assert matrix.directed_distances[0, 1] == pytest.approx(math.log10(there + 1e-5) + 5)
    assert matrix.distance("a", "b") == matrix.distance("b", "a")
    assert matrix.distance("a", "b") == pytest.approx(math.log10((there + back) / 2 + 1e-5) + 5)
    assert matrix.distance("a", "a") == pytest.approx(0)


def test_orders() -> None:
    matrix = of_spreads(a=1.0, b=1.1, c=1.5, far=9.0)
    ranked = matrix.by_mean_distance()
    assert ranked[-1][0] == "far"
    assert [mean for _, mean in ranked] == sorted(mean for _, mean in ranked)
    expected = sum(matrix.distance("far", other) for other in "abc") / 3
    assert ranked[-1][1] == pytest.approx(expected)
    pairs = matrix.closest_pairs(2)
    assert pairs[0] == ("a", "b", matrix.distance("a", "b"))
    assert len(pairs) == 2
    three = (matrix.distance("a", "b") + matrix.distance("a", "c") + matrix.distance("b", "c")) / 3
    assert matrix.mean_distance(["a", "b", "c"]) == pytest.approx(three)


def test_a_part_and_a_copy() -> None:
    matrix = of_spreads(a=1.0, b=1.1, c=1.5)
    part = matrix.subset(["c", "a"])
    assert part.names == ("c", "a")
    assert part.divergences[0, 1] == matrix.divergences[2, 0]
    copy = SimilarityMatrix.from_dict(json.loads(json.dumps(matrix.to_dict())))
    assert copy.names == matrix.names
    np.testing.assert_array_equal(copy.divergences, matrix.divergences)


def test_impossible_matrices() -> None:
    with pytest.raises(ExaminationError, match="different names"):
        SimilarityMatrix(("a", "a"), np.zeros((2, 2)))
    with pytest.raises(ExaminationError, match="finite divergences"):
        SimilarityMatrix(("a", "b"), np.array([[0, np.inf], [1, 0]]))
    with pytest.raises(ExaminationError, match="no similarity matrix"):
        SimilarityMatrix.from_dict({"names": ["a"]})
    with pytest.raises(ExaminationError, match="has no 'c'; it has: a, b"):
        of_spreads(a=1, b=2).distance("a", "c")
    with pytest.raises(ExaminationError, match="at least two"):
        of_spreads(a=1, b=2).mean_distance(["a"])


def test_a_matrix_like_the_papers_agrees() -> None:
    findings = compare_with_paper(like_the_paper())
    assert len(findings) == 6
    assert all(finding.agrees for finding in findings), findings


def test_a_matrix_of_the_opposite_order_does_not() -> None:
    matrix = like_the_paper()
    turned = {"ringing": "jpeg", "richardson_lucy": "salt_and_pepper", "defocus_blur": "gaussian_blur"}
    turned |= {new: old for old, new in turned.items()}
    names = tuple(turned.get(name, name) for name in matrix.names)
    findings = compare_with_paper(SimilarityMatrix(names, matrix.divergences))
    assert not any(finding.agrees for finding in findings), findings


def test_the_rank_correlation_is_spearmans() -> None:
    matrix = like_the_paper()
    ours = [matrix.mean_distance(members) for _, members in PUBLISHED]
    expected = stats.spearmanr([distance for distance, _ in PUBLISHED], ours).statistic
    assert f"{expected:+.2f}" in compare_with_paper(matrix)[-1].numbers


def test_only_what_is_there_is_compared_and_other_damage_is_set_aside() -> None:
    assert compare_with_paper(of_spreads(jpeg=1, ringing=2)) == []
    three = {"jpeg": 1.0, "ringing": 2.0, "inpainting": 2.1}
    (finding,) = compare_with_paper(of_spreads(**three))
    assert finding.statement.startswith("JPEG")
    (same,) = compare_with_paper(of_spreads(**three, haze=99, clean=0.1))
    assert same == finding
