from __future__ import annotations

import numpy as np
import pytest

from unblemish.examination.examination import Region
from unblemish.restoration.locality import LEAST_SHARE, SOUND, damage_mask

SIDE = 64


def regions(damage: np.ndarray) -> list[list[Region]]:
    return [
        [
            Region(row * SIDE, column * SIDE, SIDE, float(value), "noise", float(value))
            for column, value in enumerate(values)
        ]
        for row, values in enumerate(damage)
    ]


def mask(damage: np.ndarray) -> np.ndarray | None:
    return damage_mask(regions(damage), damage.shape[0] * SIDE, damage.shape[1] * SIDE)


def test_a_damaged_corner_is_treated_with_a_margin() -> None:
    damage = np.zeros((6, 8))
    damage[0, 0] = 0.9
    found = mask(damage)
    assert found is not None
    assert found.shape == (6 * SIDE, 8 * SIDE)
    assert found.dtype == np.float32
    assert found.min() == 0
    assert found.max() == 1
    assert bool((found[: int(1.4 * SIDE), : int(1.4 * SIDE)] == 1).all())  # the square and what lies next to it
    assert bool((found[int(2.6 * SIDE) :] == 0).all())
    assert bool((found[:, int(2.6 * SIDE) :] == 0).all())
    fading = found[0, SIDE : 3 * SIDE]
    assert bool((np.diff(fading) <= 0).all())
    assert np.abs(np.diff(fading)).max() < 0.03  # no seam


@pytest.mark.parametrize(
    "damage",
    [
        np.ones((6, 8)),
        np.zeros((6, 8)),  # nothing to go by: the verdict was about the whole picture
        np.pad(np.zeros((2, 2)), 2, constant_values=1),  # sound only where all neighbours are not
        np.array([[0.0, 1.0]]),
        np.array([[0.0] * 9 + [1.0]] * 2),  # too narrow to tell
        np.array([[1.0]]),
    ],
)
def test_damage_that_is_not_local(damage: np.ndarray) -> None:
    assert mask(damage) is None


def test_where_locality_begins() -> None:
    faint = np.zeros((5, 5))
    faint[2, 0] = SOUND * 0.99
    assert mask(faint) is None
    faint[2, 0] = SOUND * 1.01
    assert mask(faint) is not None
    columns = np.zeros((5, 10))
    columns[:, :6] = 1  # with their neighbours 7 of 10 are treated
    assert 0.1 < LEAST_SHARE < 0.3
    assert mask(columns) is not None
    columns[:, :8] = 1
    assert mask(columns) is None


def test_any_size_of_the_picture() -> None:
    damage = np.zeros((4, 4))
    damage[3, 3] = 1
    found = damage_mask(regions(damage), 1001, 333)
    assert found is not None
    assert found.shape == (1001, 333)
    assert found[-1, -1] == 1
    assert found[0, 0] == 0
