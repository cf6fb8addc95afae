"""What learning one task after another does to the earlier ones, as the field of lifelong learning states it.

All start from a triangle of scores: row i holds the scores of tasks 0 to i after task i was learnt. Of scores more is
better, as of PSNR in decibels and SSIM.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

Triangle = Sequence[Sequence[float]]
"""`triangle[i][j]`, j up to i: the score of task j after task i was learnt."""


class Transfer(NamedTuple):
    """A sequence of tasks in numbers.

    Attributes:
        average: Mean score of all tasks after the last one (ACC of Lopez-Paz and Ranzato, "Gradient Episodic Memory",
            NeurIPS 2017, Eq. 2).
        backward: Mean over the earlier tasks of the last score minus the one right after a task was learnt (BWT, Eq. 3
            there); negative where tasks are forgotten, positive where later tasks help.
        forgetting: Mean over the earlier tasks of the best score before minus the last one (Chaudhry et al.,
            "Riemannian Walk for Incremental Learning", ECCV 2018, Eq. 3); negative where the last score is the best.
    """

    average: float
    backward: float
    forgetting: float


def transfer(triangle: Triangle) -> Transfer:
    """The three numbers of a triangle of scores.

    Raises:
        ValueError: There are fewer than two tasks, or a row is not as long as its number says.
    """
    if len(triangle) < 2 or any(len(row) != number for number, row in enumerate(triangle, start=1)):
        raise ValueError(f"a triangle of at least two rows is wanted, not rows of {[len(row) for row in triangle]}")
    last, earlier = triangle[-1], range(len(triangle) - 1)
    best = [max(row[task] for row in triangle[task:-1]) for task in earlier]
    return Transfer(
        average=fmean(last),
        backward=fmean(last[task] - triangle[task][task] for task in earlier),
        forgetting=fmean(best[task] - last[task] for task in earlier),
    )
