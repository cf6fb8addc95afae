from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from unblemish.grouping.problem import TableOracle
from unblemish.training.recipe import Recipe

Made = tuple[tuple[str, ...], NDArray[np.float64], TableOracle]


@pytest.fixture
def synthetic() -> Callable[..., Made]:
    """Makes degradations that are points in a plane, and drops that grow with a group's spread and size.

    `noise` shakes the drops of each group, so that they do not follow the distances everywhere.
    """

    def make(count: int, seed: int = 0, noise: float = 0.0) -> Made:
        draw = np.random.default_rng(seed)
        points = draw.random((count, 2))
        distances = 2 + 2.5 * np.linalg.norm(points[:, None] - points, axis=-1)
        names = tuple(f"d{number:02}" for number in range(count))
        table = {}
        for size in range(2, count + 1):
            pairs = np.triu_indices(size, 1)
            for members in combinations(range(count), size):
                spread = distances[np.ix_(members, members)][pairs].mean() - 2
                loss = 0.6 * spread * np.log2(size) + noise * draw.standard_normal()
                group = tuple(names[member] for member in members)
                table[group] = {name: loss - 0.1 * place for place, name in enumerate(group)}
        return names, distances, TableOracle(names, table)

    return make


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four generated pictures of 64 px."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(4):
        coarse = np.random.default_rng(number).integers(256, size=(9, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def recipe(photos: Path) -> Recipe:
    """A recipe of two steps of a network of minimal width, for three degradations."""
    content = {
        "purpose": "test",
        "network": {"name": "srresnet", "options": {"blocks": 1, "width": 4}},
        "data": {"folder": str(photos), "patch": 16},
        "degradations": {"names": ["jpeg", "gaussian_noise", "ringing"]},
        "validation": {"pictures": 1, "crop": 32},
        "steps": 50,
        "batch": 2,
        "precision": "32-true",
    }
    return Recipe.parse(content, "recipe")
