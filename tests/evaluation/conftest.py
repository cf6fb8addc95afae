from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def scene(number: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A smooth picture with edges, another one for each number: `(height, width, 3)` uint8."""
    rows, columns = np.mgrid[0:height, 0:width] / height
    waves = [np.sin(2 * rows + k * columns + number) * 0.3 + 0.5 for k in range(3)]
    picture = np.stack(waves, axis=2)
    picture[height // 4 : height // 2, width // 4 : width // 2] += 0.15
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three pictures: two beside each other, one gray in a subfolder."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png")):
        Image.fromarray(scene(number)).save(folder / name)
    Image.fromarray(scene(2)[..., 0]).save(folder / "more" / "gray.png")
    return folder


@pytest.fixture
def make_scene() -> Callable[..., np.ndarray]:
    """The function `scene`."""
    return scene
