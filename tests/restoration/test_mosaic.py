from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.degradations.catalogue import create
from unblemish.errors import UserError
from unblemish.evaluation.cases import DegradedFolder
from unblemish.restoration.mosaic import CELL, made_up, mosaic


@pytest.fixture
def photos(tmp_path):
    for number, size in enumerate([(CELL + 20, CELL + 10), (CELL, CELL), (CELL - 1, 400)]):
        pixels = np.random.default_rng(number).integers(256, size=(*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def test_cells_hold_the_middles_in_turn(photos):
    sets = [DegradedFolder(photos, create("gaussian_noise")), DegradedFolder(photos, None)]
    found = mosaic(sets, CELL + 1)
    assert found.damaged.shape == (1, 3, 2 * CELL, 2 * CELL)
    assert found.pieces == (
        "gaussian_noise: 0.png", "clean: 0.png", "gaussian_noise: 1.png", "clean: 1.png"
    )  # fmt: skip
    first = torch.from_numpy(np.array(Image.open(photos / "0.png"))).permute(2, 0, 1) / 255  # (3, H, W)
    assert found.clean is not None
    for left in (0, CELL):
        torch.testing.assert_close(found.clean[0, :, :CELL, left : left + CELL], first[:, 10:-10, 5:-5])
    scores = found.scores(found.damaged, found.clean)
    assert scores.shape == (4,)
    assert scores[1] == scores[3] == 100
    assert scores[0] < 30
    assert scores[2] < 30


def test_folders_of_small_pictures_are_refused(photos):
    for name in ("0.png", "1.png"):
        (photos / name).unlink()
    with pytest.raises(UserError, match=r"has no picture of 256 x 256 pixels or more; choose another folder"):
        mosaic([DegradedFolder(photos, None)], CELL)


def test_made_up_pictures_lie_on_the_grid_of_files():
    picture = made_up(70)
    assert picture.clean is None
    levels = picture.damaged * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    assert torch.equal(picture.damaged, made_up(70).damaged)
    assert picture.scores(picture.damaged, 1 - picture.damaged).shape == (1,)
