from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unblemish.evaluation.self_ensemble import self_ensemble

PICTURE = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))


def test_the_eight_orientations_are_seen_once_each() -> None:
    seen: list[Tensor] = []

    def restore(pictures: Tensor) -> Tensor:
        assert pictures.is_contiguous()
        seen.append(pictures.clone())
        return pictures

    torch.testing.assert_close(self_ensemble(restore)(PICTURE), PICTURE)
    picture = PICTURE.numpy()
    expected = [np.rot90(view, k, (2, 3)) for view in (picture, picture.transpose(0, 1, 3, 2)) for k in range(4)]
    assert sorted(x.numpy().tobytes() for x in seen) == sorted(np.ascontiguousarray(x).tobytes() for x in expected)


def test_a_shift_averages_to_its_eight_turns_and_enlargement_is_allowed() -> None:
    def shifted(pictures: Tensor) -> Tensor:
        return pictures.roll(1, -1)

    neighbours = [PICTURE.roll(step, axis) for step in (1, -1) for axis in (-1, -2)]
    torch.testing.assert_close(self_ensemble(shifted)(PICTURE), torch.stack(neighbours).mean(0))

    def twice(pictures: Tensor) -> Tensor:
        return pictures.repeat_interleave(2, -1).repeat_interleave(2, -2)

    torch.testing.assert_close(self_ensemble(twice)(PICTURE), twice(PICTURE))


def test_results_are_clamped_after_averaging_and_the_input_is_kept() -> None:
    before = PICTURE.clone()
    results = iter([3.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])

    def wild(pictures: Tensor) -> Tensor:
        return pictures.fill_(next(results))

    assert torch.equal(self_ensemble(wild)(PICTURE), torch.full_like(PICTURE, 0.25))
    assert torch.equal(PICTURE, before)
    assert float(self_ensemble(lambda x: torch.full_like(x, 1.5))(PICTURE).max()) == 1
