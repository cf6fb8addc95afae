from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from unblemish.degradations.inpainting import Inpainting, stroke_mask

ENDS = torch.tensor([[[10.0, 8.0, 10.0, 30.0], [4.0, 40.0, 36.0, 40.0]]])


def test_strokes_are_all_points_within_half_the_thickness() -> None:
    mask = stroke_mask(ENDS, torch.tensor([7.0]), torch.tensor([2.0]), 45, 50)[0, 0]
    skeleton = torch.ones(45, 50, dtype=torch.bool)
    skeleton[10, 8:31] = False
    skeleton[4:37, 40] = False
    assert torch.equal(mask, torch.from_numpy(distance_transform_edt(skeleton.numpy()) <= 3.5))


def test_count_and_thickness_are_those_of_each_picture() -> None:
    both = stroke_mask(ENDS.repeat(2, 1, 1), torch.tensor([7.0, 3.0]), torch.tensor([1.0, 2.0]), 45, 50)
    assert both[0, 0, 10, 20]
    assert not both[0, 0, 20, 40]
    assert both[1, 0, 20, 40]
    assert both[0, 0, 13, 20]
    assert not both[1, 0, 13, 20]


def test_a_stroke_of_no_length_is_a_dot_and_slanted_ones_are_exact() -> None:
    dot = stroke_mask(torch.full((1, 1, 4), 9.0), torch.tensor([5.0]), torch.tensor([1.0]), 20, 20)
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
    assert torch.equal(dot[0, 0], (y - 9) ** 2 + (x - 9) ** 2 <= 6.25)
    slanted = stroke_mask(torch.tensor([[[2.0, 3.0, 15.0, 12.0]]]), torch.tensor([4.5]), torch.tensor([1.0]), 20, 20)
    along = ((y - 2) * 13 + (x - 3) * 9) / (13**2 + 9**2)
    foot = along.clamp(0, 1)
    distance = torch.hypot(y - 2 - 13 * foot, x - 3 - 9 * foot)
    assert torch.equal(slanted[0, 0], distance <= 2.25)


def test_one_colour_a_picture_and_the_rest_untouched(photograph: Tensor) -> None:
    clean = photograph.repeat(40, 1, 1, 1) * 0.8 + 0.1
    strokes = Inpainting()
    damaged = strokes.apply(clean, strokes.fixed(40), torch.Generator().manual_seed(0))
    changed = damaged != clean
    assert torch.equal(changed.any(1), changed.all(1))
    whites = 0
    for picture, mask in zip(damaged, changed, strict=True):
        values = picture[mask].unique()
        assert len(values) == 1
        whites += int(values.item() == 1.0)
        assert values.item() in (0.0, 1.0)
    assert 8 <= whites <= 32  # 40 fair coins: outside with a probability of 1e-4


def test_no_strokes_change_nothing(photograph: Tensor, damage: Callable) -> None:
    assert torch.equal(damage(Inpainting(), photograph, count=0), photograph)


@pytest.mark.parametrize(("few", "many"), [({"count": 5}, {"count": 10}), ({"thickness": 5}, {"thickness": 10})])
def test_more_and_thicker_strokes_cover_more(photograph: Tensor, few: dict, many: dict) -> None:
    strokes, clean = Inpainting(), photograph.repeat(16, 1, 1, 1) * 0.8 + 0.1
    covered = [
        (strokes.apply(clean, strokes.fixed(16, **values), torch.Generator().manual_seed(0)) != clean).double().mean()
        for values in (few, many)
    ]
    assert covered[1] > 1.3 * covered[0]
