"""What the CLEARER paper prints: PSNR in dB and SSIM, with their places.

Table 1: BSD500 test, gray. Table 3: sigma 50, gray. Table 4: Rain800, colour. Table 5: BSD500 test, sigma 30. Two
values are as printed though they cannot be right: WNNM's SSIM at sigma 70 (0.3460), and 4.59 million parameters, which
are 4,595,968. N3Net's SSIM in Table 3 is not printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class PublishedScore(NamedTuple):
    """PSNR in dB, and SSIM; None where it is not printed."""

    psnr: float
    ssim: float | None


def _scores(*values: Any) -> tuple[PublishedScore, ...]:
    """Pairs of PSNR and SSIM, one after the other."""
    return tuple(PublishedScore(psnr, ssim) for psnr, ssim in zip(values[::2], values[1::2], strict=True))


SIGMAS = (30, 50, 70)
"""Noise levels of Table 1, of the range 0..255."""

TABLE_1: dict[str, tuple[PublishedScore, ...]] = {
    "BM3D": _scores(27.31, 0.7755, 25.06, 0.6831, 23.82, 0.6240),
    "RED": _scores(27.95, 0.8056, 25.75, 0.7167, 24.37, 0.6551),
    "WNNM": _scores(27.48, 0.7807, 25.26, 0.6928, 23.95, 0.3460),
    "MemNet": _scores(28.04, 0.8053, 25.86, 0.7202, 24.53, 0.6608),
    "N3Net": _scores(28.66, 0.8220, 26.50, 0.7490, 25.18, 0.6960),
    "NLRN": _scores(28.15, 0.8423, 25.93, 0.7214, 24.58, 0.6614),
    "DuRN-P": _scores(28.50, 0.8156, 26.36, 0.7350, 25.05, 0.6755),
    "CLEARER": _scores(28.54, 0.8203, 26.40, 0.7465, 25.06, 0.6894),
    "CLEARER-P": _scores(29.68, 0.8439, 27.49, 0.7768, 26.09, 0.7267),
}
"""By method, at each of `SIGMAS`."""

SETS = ("Set12", "BSD68")
"""Sets of Table 3."""

TABLE_3: dict[str, tuple[PublishedScore, ...]] = {
    "BM3D": _scores(26.55, 0.7423, 25.60, 0.6866),
    "RED": _scores(27.32, 0.7748, 26.29, 0.7124),
    "WNNM": _scores(27.05, 0.7775, 25.87, 0.6982),
    "MemNet": _scores(27.36, 0.7791, 26.34, 0.7190),
    "NLRN": _scores(27.64, 0.7980, 26.47, 0.7298),
    "N3Net": _scores(27.43, None, 26.39, None),
    "DuRN-P": _scores(27.14, 0.7829, 26.31, 0.7276),
    "CLEARER": _scores(27.43, 0.8021, 26.31, 0.7352),
    "CLEARER-P": _scores(28.08, 0.8129, 27.25, 0.7681),
}
"""By method, on each of `SETS`, at sigma 50."""

TABLE_4 = PublishedScore(27.21, 0.8685)
"""CLEARER on Rain800, which is not at hand here."""


@dataclass(frozen=True, slots=True)
class PublishedConfiguration:
    """A row of Table 5.

    Attributes:
        architecture_weight: lambda_1; None for the random architecture.
        complexity_weight: lambda_2; None for the random architecture.
        score: On BSD500 test at sigma 30.
        seconds: Testing time.
        parameters: In millions.
    """

    architecture_weight: float | None
    complexity_weight: float | None
    score: PublishedScore
    seconds: float
    parameters: float


TABLE_5 = (
    PublishedConfiguration(0.0, 0.0, PublishedScore(28.51, 0.8187), 4.28, 7.25),
    PublishedConfiguration(0.01, 0.0, PublishedScore(28.54, 0.8203), 5.28, 6.31),
    PublishedConfiguration(0.1, 0.0, PublishedScore(28.53, 0.8200), 5.98, 6.07),
    PublishedConfiguration(0.01, 0.01, PublishedScore(28.33, 0.8100), 6.70, 4.59),
    PublishedConfiguration(0.1, 0.1, PublishedScore(28.16, 0.8041), 5.62, 4.36),
    PublishedConfiguration(None, None, PublishedScore(28.29, 0.8091), 4.44, 7.63),
)

ALPHAS = (
    (0.1601, 0.8399), (0.8286, 0.1714), (0.8343, 0.1657), (0.1650, 0.8350),
    (0.1635, 0.8365), (0.1638, 0.8362), (0.1658, 0.8342), (0.1658, 0.8342),
    (0.8393, 0.1607), (0.1665, 0.8335), (0.1643, 0.8357), (0.8378, 0.1622),
)  # fmt: skip
"""Of the parallel and the fusion module by column, for lambda_1 = 0.1 (Table 1 of the supplement): FPPF/FFFF/PFFP."""

GAPS = {0.0: 0.0278, 0.01: 0.0620, 0.1: 0.6709}
"""Mean gap of the alphas by lambda_1, with lambda_2 = 0 (Fig. 2 of the supplement)."""
