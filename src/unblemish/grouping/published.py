"""What the GRIDS paper prints about groups of degradations: PSNR in dB and mean distances, with their places.

Restormer unless the name says otherwise, PSNR on RGB, DIV2K validation set. Two misprints are mended: the drop of
SRResNet on JPEG in Table 1 (printed -0.85, the row's own numbers give -0.08), and in the lower row of Table 2(c)
Poisson noise and inpainting have changed places. The whole distance matrix is only drawn, never printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from unblemish.degradations.catalogue import GRIDS_ELEVEN
from unblemish.grouping.problem import Group, canonical

THRESHOLD = 0.7
"""Largest drop that the paper allows, dB (section 5.3)."""


@dataclass(frozen=True, slots=True)
class PublishedGroup:
    """One network trained on several degradations.

    Attributes:
        source: Where the paper prints it.
        psnr: PSNR of the shared network by degradation, dB.
        distance: Mean distance in the paper's similarity matrix; None where it prints none, or one of other features.
    """

    source: str
    psnr: dict[str, float]
    distance: float | None = None

    @property
    def group(self) -> Group:
        """The degradations, in the order of Table 1."""
        return canonical(self.psnr, GRIDS_ELEVEN)

    def drops(self, upper: dict[str, float]) -> dict[str, float]:
        """Drop of each member against the single-task networks, dB (positive is a loss)."""
        return {name: round(upper[name] - self.psnr[name], 2) for name in self.group}


def _row(*values: float) -> dict[str, float]:
    return dict(zip(GRIDS_ELEVEN, values, strict=True))


UPPER = _row(27.99, 31.80, 37.92, 37.42, 34.17, 41.81, 32.14, 33.83, 32.55, 30.64, 46.12)
"""Single-task Restormer: Table 1, upper bound."""

MIX = PublishedGroup(
    "Table 1, mix-training Restormer (baseline)",
    _row(27.39, 26.48, 35.36, 34.10, 32.29, 38.91, 31.30, 32.96, 31.56, 29.77, 42.71),
)

GROUPED = _row(28.22, 31.71, 37.24, 38.68, 34.03, 41.30, 32.23, 33.88, 32.86, 30.71, 46.57)
"""Four grouped Restormers: Table 1, GRIDS (Restormer)."""

SRRESNET_UPPER = _row(26.97, 25.36, 34.21, 34.62, 32.76, 40.15, 31.37, 33.06, 31.70, 30.08, 44.93)
"""Single-task SRResNet: Table 1, upper bound."""

SRRESNET_MIX = _row(25.92, 22.61, 33.34, 33.70, 30.71, 37.07, 30.83, 32.51, 30.57, 29.62, 43.79)
"""SRResNet on everything: Table 1, baseline."""

SRRESNET_GROUPED = _row(26.71, 25.09, 34.77, 35.16, 32.54, 39.95, 31.29, 33.13, 31.90, 30.22, 45.73)
"""Four grouped SRResNets: Table 1, GRIDS (SRResNet)."""

PARTITION: tuple[Group, ...] = (
    ("gaussian_blur", "motion_blur", "richardson_lucy"),
    ("super_resolution", "ringing", "defocus_blur"),
    ("jpeg", "poisson_noise", "inpainting"),
    ("gaussian_noise", "salt_and_pepper"),
)
"""The groups that the paper's search finds (section 5.3)."""

GROUPS: tuple[PublishedGroup, ...] = (
    MIX,
    *(PublishedGroup("Table 1, GRIDS (Restormer)", {n: GROUPED[n] for n in group}) for group in PARTITION[:2]),
    PublishedGroup("Table 2(a), experiment 1, higher", {"super_resolution": 39.22, "defocus_blur": 41.38}, 2.75),
    PublishedGroup("Table 2(a), experiment 1, lower", {"gaussian_noise": 30.71, "salt_and_pepper": 46.57}, 3.54),
    PublishedGroup(
        "Table 2(a), experiment 2, higher",
        {"ringing": 34.10, "richardson_lucy": 37.66, "defocus_blur": 41.25},
        2.20,
    ),
    PublishedGroup(
        "Table 2(a), experiment 2, lower", {"gaussian_blur": 27.95, "jpeg": 31.77, "salt_and_pepper": 44.40}, 4.33
    ),
    PublishedGroup(
        "Table 2(a), experiment 3, higher",
        {"ringing": 33.37, "richardson_lucy": 36.74, "defocus_blur": 40.33, "motion_blur": 29.66},
        2.52,
    ),
    PublishedGroup(
        "Table 2(a), experiment 3, lower",
        {"gaussian_blur": 27.89, "gaussian_noise": 30.28, "salt_and_pepper": 44.20, "motion_blur": 26.66},
        4.10,
    ),
    PublishedGroup(
        "Table 2(a), experiment 4, higher",
        {"super_resolution": 38.55, "jpeg": 31.56, "ringing": 33.96, "richardson_lucy": 36.51, "defocus_blur": 41.18},
        2.88,
    ),
    PublishedGroup(
        "Table 2(a), experiment 4, lower",
        {
            "gaussian_blur": 27.77,
            "inpainting": 32.23,
            "salt_and_pepper": 45.20,
            "poisson_noise": 33.47,
            "motion_blur": 29.22,
        },
        4.00,
    ),
    PublishedGroup(
        "Table 2(b), experiment 5, higher", {"super_resolution": 34.89, "jpeg": 31.82, "poisson_noise": 33.50}
    ),
    PublishedGroup(
        "Table 2(b), experiment 5, lower", {"gaussian_blur": 27.64, "inpainting": 31.96, "poisson_noise": 33.32}
    ),
    PublishedGroup("Table 2(b), experiment 6, higher", {"super_resolution": 34.84, "jpeg": 31.37, "inpainting": 31.84}),
    PublishedGroup(
        "Table 2(b), experiment 6, lower", {"gaussian_blur": 27.80, "ringing": 33.94, "defocus_blur": 41.15}
    ),
    PublishedGroup(
        "Table 2(c), experiment 7, higher", {"jpeg": 32.24, "poisson_noise": 33.88, "gaussian_noise": 30.65}, 3.49
    ),
    PublishedGroup(
        "Table 2(c), experiment 7, lower", {"jpeg": 32.23, "poisson_noise": 33.88, "inpainting": 32.86}, 3.61
    ),
)
"""Every group of several degradations that the paper prints Restormer scores of, each once."""


def published_drops() -> dict[Group, dict[str, float]]:
    """Drops in dB by member, by group."""
    return {entry.group: entry.drops(UPPER) for entry in GROUPS}
