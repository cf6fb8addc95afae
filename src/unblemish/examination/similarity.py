"""The similarity matrix of degradations, and how it compares with what GRIDS prints.

The paper (Sec. 4.2) takes the logarithm of the KL divergence between two degradations' generalised Gaussians for their
distance. The divergence is not symmetric, and the paper does not say what its matrix holds below the diagonal; here
both directions are kept, and the distance between two degradations, which grouping needs, is that of the mean of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unblemish.degradations.catalogue import GRIDS_ELEVEN, create
from unblemish.examination.errors import ExaminationError
from unblemish.examination.generalised_gaussian import kl_divergence, log_distance
from unblemish.examination.signatures import Signature

_NEAR = ("ringing", "richardson_lucy", "defocus_blur", "motion_blur")
_FAR = ("jpeg", "salt_and_pepper", "gaussian_blur")

PUBLISHED: tuple[tuple[float, tuple[str, ...]], ...] = (
    (2.20, ("ringing", "richardson_lucy", "defocus_blur")),
    (2.52, ("ringing", "richardson_lucy", "defocus_blur", "motion_blur")),
    (2.75, ("super_resolution", "defocus_blur")),
    (2.88, ("super_resolution", "jpeg", "ringing", "richardson_lucy", "defocus_blur")),
    (3.49, ("jpeg", "poisson_noise", "gaussian_noise")),
    (3.54, ("gaussian_noise", "salt_and_pepper")),
    (3.61, ("jpeg", "poisson_noise", "inpainting")),
    (4.00, ("gaussian_blur", "inpainting", "salt_and_pepper", "poisson_noise", "motion_blur")),
    (4.10, ("gaussian_blur", "gaussian_noise", "salt_and_pepper", "motion_blur")),
    (4.33, ("gaussian_blur", "jpeg", "salt_and_pepper")),
)
"""GRIDS, Table 2a and 2c: mean distance within a group, on the paper's patches and descriptor."""


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityMatrix:
    """KL divergences between degradations, and distances made of them.

    Attributes:
        names: n names, no name twice.
        divergences: `(n, n)` float64; row i, column j holds KL(i || j), 0 on the diagonal.

    Raises:
        ExaminationError: The shapes do not fit, a name is there twice, or a divergence is no finite number from 0.
    """

    names: tuple[str, ...]
    divergences: NDArray[np.float64]

    def __post_init__(self) -> None:
        count = len(self.names)
        if self.divergences.shape != (count, count) or len(set(self.names)) < count:
            raise ExaminationError(f"a similarity matrix of {count} needs as many different names, rows and columns")
        if not (np.isfinite(self.divergences).all() and (self.divergences >= 0).all()):
            raise ExaminationError("a similarity matrix holds finite divergences from 0 on; measure it again")

    @classmethod
    def of(cls, signatures: Sequence[Signature]) -> SimilarityMatrix:
        """The matrix of signatures that were measured by one protocol."""
        rows = [[kl_divergence(p.density, q.density) for q in signatures] for p in signatures]
        return cls(tuple(s.name for s in signatures), np.asarray(rows, np.float64).reshape(len(rows), len(rows)))

    @property
    def directed_distances(self) -> NDArray[np.float64]:
        """`(n, n)`, log10(KL(i || j) + 1e-5) + 5."""
        return _log_distances(self.divergences)

    @property
    def distances(self) -> NDArray[np.float64]:
        """`(n, n)`, symmetric: log10 of the mean of both divergences + 1e-5, + 5; 0 on the diagonal."""
        return _log_distances(0.5 * (self.divergences + self.divergences.T))

    def distance(self, one: str, other: str) -> float:
        """The symmetric distance of two degradations.

        Raises:
            ExaminationError: A name is not in the matrix.
        """
        return float(self.distances[self._index(one), self._index(other)])

    def mean_distance(self, members: Sequence[str]) -> float:
        """Mean symmetric distance over all pairs of a group of at least two.

        Raises:
            ExaminationError: A name is not in the matrix, or there is no pair.
        """
        pairs = list(combinations([self._index(name) for name in members], 2))
        if not pairs:
            raise ExaminationError("a mean distance needs at least two degradations; name more")
        distances = self.distances
        return float(np.mean([distances[pair] for pair in pairs]))

    def by_mean_distance(self) -> list[tuple[str, float]]:
        """Each name with its mean symmetric distance to all others, the most central one first."""
        means = self.distances.sum(1) / max(1, len(self.names) - 1)
        return sorted(zip(self.names, means.tolist(), strict=True), key=lambda entry: entry[1])

    def closest_pairs(self, count: int) -> list[tuple[str, str, float]]:
        """The `count` closest pairs with their symmetric distances, closest first."""
        distances = self.distances
        pairs = [
            (self.names[i], self.names[j], float(distances[i, j])) for i, j in combinations(range(len(self.names)), 2)
        ]
        return sorted(pairs, key=lambda pair: pair[2])[:count]

    def subset(self, names: Sequence[str]) -> SimilarityMatrix:
        """The matrix of some of the names, in the given order.

        Raises:
            ExaminationError: A name is not in the matrix, or is given twice.
        """
        rows = [self._index(name) for name in names]
        return SimilarityMatrix(tuple(names), self.divergences[np.ix_(rows, rows)])

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON; the distances are there for readers, `from_dict` computes them anew."""
        return {
            "names": list(self.names),
            "divergences": self.divergences.tolist(),
            "distances": self.distances.tolist(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SimilarityMatrix:
        """What `to_dict` gave.

        Raises:
            ExaminationError: It is no such dictionary.
        """
        try:
            return cls(tuple(map(str, stored["names"])), np.asarray(stored["divergences"], np.float64))
        except (KeyError, TypeError, ValueError) as error:
            raise ExaminationError(
                f"this is no similarity matrix ({error!r}); make one with `unblemish group similarity`"
            ) from error

    def _index(self, name: str) -> int:
        if name not in self.names:
            raise ExaminationError(f"the similarity matrix has no {name!r}; it has: {', '.join(self.names)}")
        return self.names.index(name)


@dataclass(frozen=True, slots=True)
class Finding:
    """One of the paper's statements, held against a matrix.

    Attributes:
        statement: What the paper says.
        agrees: Whether the matrix says so, too.
        numbers: The sentence that shows why.
    """

    statement: str
    agrees: bool
    numbers: str


def compare_with_paper(matrix: SimilarityMatrix) -> list[Finding]:
    """Holds a matrix against the statements and the distances of GRIDS; what needs missing names is left out.

    Only the paper's degradations count: haze, darkness, rain and clean are set aside first.
    """
    known = [name for name in GRIDS_ELEVEN if name in matrix.names]
    if len(known) < 3:
        return []
    matrix = matrix.subset(known)
    overall = matrix.mean_distance(known)
    findings: list[Finding] = []
    if set(_NEAR) <= set(known):
        near = matrix.mean_distance(_NEAR)
        findings.append(
            Finding(
                "Ringing, R-L, defocus blur and motion blur are relatively close to each other.",
                near < overall,
                f"Their mean distance is {near:.2f}, that of all pairs {overall:.2f}.",
            )
        )
    if set(_FAR) <= set(known):
        far = matrix.mean_distance(_FAR)
        findings.append(
            Finding(
                "JPEG, salt and pepper noise and Gaussian blur are far from each other.",
                far > overall,
                f"Their mean distance is {far:.2f}, that of all pairs {overall:.2f}.",
            )
        )
    means = dict(matrix.by_mean_distance())
    for name in _FAR:
        if name in known:
            numbers = f"Its mean distance to the others is {means[name]:.2f}, that of all pairs {overall:.2f}."
            findings.append(Finding(f"{create(name).title} is far from the others.", means[name] > overall, numbers))
    return findings + _order_of_groups(matrix)


def _order_of_groups(matrix: SimilarityMatrix) -> list[Finding]:
    """The rank correlation with the distances of `PUBLISHED`."""
    groups = [(distance, members) for distance, members in PUBLISHED if set(members) <= set(matrix.names)]
    if len(groups) < 3:
        return []
    theirs = np.asarray([distance for distance, _ in groups])
    ours = np.asarray([matrix.mean_distance(members) for _, members in groups])
    correlation = _rank_correlation(theirs, ours)
    offset = float((ours - theirs).mean())
    return [
        Finding(
            f"The mean distances within {len(groups)} groups of Table 2 have an order.",
            correlation > 0.5,
            f"The rank correlation with it is {correlation:+.2f}; the distances differ by {offset:+.2f} on average.",
        )
    ]


def _rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Spearman's, 0 where one side has no order; ties take the mean of their ranks."""
    ranks = [[(np.sum(values < v) + np.sum(values <= v) + 1) / 2 for v in values] for values in (x, y)]
    a, b = (np.asarray(rank) - np.mean(rank) for rank in ranks)
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale else 0.0


def _log_distances(divergences: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.vectorize(log_distance, otypes=[np.float64])(divergences)
