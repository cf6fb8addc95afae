"""What an examination finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from unblemish.examination.generalised_gaussian import GeneralisedGaussian


class Verdict(StrEnum):
    """What is to be done with a picture: nothing, the treatment of its group, or nothing for want of one."""

    CLEAN = "clean"
    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Gain:
    """Predicted gain in PSNR of treating a picture with its group's network, without running it.

    Attributes:
        expected: Decibels.
        low: Lower end of the interval, decibels.
        high: Upper end of the interval, decibels.
        coverage: Share of calibration pictures whose gain lay within such an interval.
    """

    expected: float
    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Region:
    """A square of the picture that was examined on its own.

    Attributes:
        top: First row.
        left: First column.
        side: Height and width in pixels; may reach beyond pictures that are smaller.
        damage: Probability that it is damaged, 0..1.
        finding: The most probable of "clean", the groups, and "unknown".
        treatable: Probability of the damage that the picture's group treats, 0..1.
    """

    top: int
    left: int
    side: int
    damage: float
    finding: str
    treatable: float


@dataclass(frozen=True, slots=True)
class Examination:
    """The findings about one picture.

    Attributes:
        verdict: Clean, known or unknown.
        group: The group whose network would treat it: the most probable one, whatever the verdict.
        probabilities: Of "clean", each group and "unknown"; they add up to 1.
        distances: Log KL divergence on GRIDS's scale (0 for equal, above 4 out of the domain) from each group's
            signature, and from "clean", to the picture's.
        degradations: Probability of each degradation that the bundle knows, given that it is one of them.
        signature: Generalised Gaussian of the picture's deep representation.
        gain: What treatment with the group's network should bring.
        regions: Where in the picture the damage sits: rows of squares, evenly spread.
        rule: How the group was chosen.
        seconds: What the examination took.
    """

    verdict: Verdict
    group: str
    probabilities: dict[str, float]
    distances: dict[str, float]
    degradations: dict[str, float]
    signature: GeneralisedGaussian
    gain: Gain
    regions: tuple[tuple[Region, ...], ...]
    rule: str
    seconds: float

    @property
    def finding(self) -> str:
        """The verdict in words: "clean", "known: GROUP" or "unknown"."""
        return f"known: {self.group}" if self.verdict is Verdict.KNOWN else str(self.verdict)

    @property
    def confidence(self) -> float:
        """Probability of the finding by the classifier, whatever the rule; 0..1."""
        return self.probabilities[self.group if self.verdict is Verdict.KNOWN else str(self.verdict)]
