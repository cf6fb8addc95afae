from __future__ import annotations

import pytest
import torch

from unblemish.examination.principal_components import principal_scores
from unblemish.examination.statistics import COMPONENTS, CROP, local_vectors, measure, picture_vector


def test_moments_of_every_patch_do_not_depend_on_the_batch(describe_with, scene) -> None:
    measured = measure(describe_with, scene(0, 200, 320))  # 15 patches, two batches
    assert len(measured.moments) == len(measured.grid.tops) * len(measured.grid.lefts) == 15
    top, left = measured.grid.tops[2], measured.grid.lefts[4]
    alone = measure(describe_with, scene(0, 200, 320)[:, top : top + 64, left : left + 64])
    torch.testing.assert_close(alone.moments[0], measured.moments[-1], rtol=1e-4, atol=1e-5)


def test_the_signature_is_that_of_all_crops(describe_with, scene) -> None:
    picture = scene(1, 128, 64)
    measured = measure(describe_with, picture)
    crops = [
        describe_with(picture[None, :, top : top + 64])[0, :, y : y + CROP, x : x + CROP].flatten()
        for top in (0, 64)
        for y in range(0, 64, CROP)
        for x in range(0, 64, CROP)
    ]
    scores = principal_scores(torch.stack(crops), COMPONENTS)
    assert measured.signature.sigma == pytest.approx(float(scores.square().mean().sqrt()), rel=0.2)


def test_vectors_of_patches_and_of_the_picture(describe_with, scene) -> None:
    measured = measure(describe_with, scene(2))
    local, whole = local_vectors(measured.moments), picture_vector(measured.moments, measured.tones)
    assert whole.shape == (local.shape[1] + 73,)
    torch.testing.assert_close(whole[:-73], local_vectors(measured.moments.mean(0)))
    torch.testing.assert_close(whole[-73:], measured.tones)
    one = picture_vector(measured.moments, measured.tones, torch.tensor([3]))
    torch.testing.assert_close(one[:-73], local[3])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (65, 64), (2000, 40)])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0, None])
def test_any_picture_can_be_measured(describe_with, size: tuple[int, int], level: float | None) -> None:
    draw = torch.Generator().manual_seed(0)
    picture = torch.rand(3, *size, generator=draw) if level is None else torch.full((3, *size), level)
    measured = measure(describe_with, picture)
    assert bool(picture_vector(measured.moments, measured.tones).isfinite().all())
    assert measured.signature.sigma > 0
