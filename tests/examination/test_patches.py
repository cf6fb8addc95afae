from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from unblemish.examination.patches import LIMIT, PHASE, SIDE, PatchGrid, spread


@pytest.mark.parametrize(
    ("height", "width"), [(64, 64), (127, 65), (129, 200), (321, 481), (384, 512), (1000, 1000), (3000, 4000)]
)
def test_patches_lie_inside_apart_and_on_the_blocks_of_jpeg(height: int, width: int) -> None:
    grid = spread(height, width)
    for starts, side in ((grid.tops, height), (grid.lefts, width)):
        assert starts[0] >= 0
        assert starts[-1] + SIDE <= side
        assert all(start % PHASE == 0 for start in starts)
        assert all(after - before >= SIDE for before, after in pairwise(starts))
    assert 1 <= len(grid.tops) * len(grid.lefts) <= 1.1 * LIMIT


@pytest.mark.parametrize(("height", "width"), [(1000, 1000), (3000, 4000), (384, 512)])
def test_they_reach_from_end_to_end_and_keep_the_shape(height: int, width: int) -> None:
    grid = spread(height, width)
    assert grid.tops[0] == grid.lefts[0] == 0
    assert height - (grid.tops[-1] + SIDE) < PHASE
    assert width - (grid.lefts[-1] + SIDE) < PHASE
    assert len(grid.lefts) / len(grid.tops) == pytest.approx(width / height, rel=0.25)
    gaps = [after - before for before, after in pairwise(grid.lefts)]
    assert max(gaps) - min(gaps) <= PHASE


def test_small_pictures_have_one_patch_per_room() -> None:
    assert spread(1, 1) == PatchGrid((0,), (0,))
    assert spread(64, 127).lefts == (24,)  # near the middle, on a block
    assert spread(3, 200) == PatchGrid((0,), (0, 64, 136))


def test_cutting_goes_row_by_row() -> None:
    picture = torch.arange(200 * 210.0).view(1, 200, 210).expand(3, -1, -1)
    grid = spread(200, 210)
    patches = grid.cut(picture)
    assert patches.shape == (9, 3, SIDE, SIDE)
    corners = [float(picture[0, top, left]) for top in grid.tops for left in grid.lefts]
    assert patches[:, 0, 0, 0].tolist() == corners


def test_what_small_pictures_lack_is_their_last_pixels() -> None:
    picture = torch.rand(3, 3, 70)
    (patch,) = spread(3, 70).cut(picture)
    left = spread(3, 70).lefts[0]
    torch.testing.assert_close(patch[:, :3], picture[:, :, left : left + SIDE])
    torch.testing.assert_close(patch[:, 3:], picture[:, 2:, left : left + SIDE].expand(-1, SIDE - 3, -1))
    dot = spread(1, 1).cut(torch.tensor([0.1, 0.2, 0.3])[:, None, None])
    assert dot.shape == (1, 3, SIDE, SIDE)
    assert bool((dot == dot[..., :1, :1]).all())
