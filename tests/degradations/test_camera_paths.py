from __future__ import annotations

import pytest
import torch
from scipy.ndimage import label
from torch import Tensor

from unblemish.degradations.camera_paths import PATHS, drawn_path, path_kernels, radius_of, random_walk


def paths(extent: float, kind: str = "shake", batch: int = 60, axes: int = 2, seed: int = 0) -> Tensor:
    parameters = {
        "extent": torch.full((batch,), extent),
        "path": torch.full((batch,), float(PATHS.index(kind))),
    }
    return drawn_path(parameters, axes, extent, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("extent", [1.0, 7.0, 15.0, 31.0, 101.0])
def test_paths_fill_their_square_around_their_mean(kind: str, extent: float) -> None:
    path = paths(extent, kind)
    reach = (path.amax(1) - path.amin(1)).amax(1)
    torch.testing.assert_close(reach, torch.full_like(reach, extent - 1.0))
    assert path.mean(1).abs().max() < 1e-4


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("extent", [1.0, 7.0, 15.0, 31.0, 101.0])
def test_kernels_are_connected_and_centred_and_sum_to_one(kind: str, extent: float) -> None:
    path = paths(extent, kind)
    radius = radius_of(path)
    kernels = path_kernels(path, radius).double()
    assert kernels.shape == (60, 2 * radius + 1, 2 * radius + 1)
    assert kernels.min() >= 0.0
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(60, dtype=torch.float64))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    assert (kernels.sum(2) @ offsets).abs().max() < 1e-3
    assert (kernels.sum(1) @ offsets).abs().max() < 1e-3
    for kernel in kernels:
        _, pieces = label((kernel > 0).numpy(), structure=[[1, 1, 1]] * 3)
        assert pieces == 1
        # A path is thin: were it to fill its square, it would be no path.
        assert (kernel > 0).sum() < 20 * extent


def test_every_pose_lights_the_four_pixels_around_it() -> None:
    kernel = path_kernels(torch.tensor([[0.25, -1.5]]), 2)
    expected = torch.zeros(5, 5)
    expected[2, 0], expected[2, 1], expected[3, 0], expected[3, 1] = 0.375, 0.375, 0.125, 0.125
    torch.testing.assert_close(kernel, expected)


def test_lines_are_straight_and_even_and_go_everywhere() -> None:
    path = paths(21.0, "line", batch=400)
    steps = path.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=0.0, atol=1e-5)
    angles = torch.atan2(steps[:, 0, 0], steps[:, 0, 1]) % torch.pi
    counts = torch.histc(angles, 4, 0.0, torch.pi)
    assert counts.min() > 60  # 5 standard deviations below the 100 that are expected


def test_walks_are_smooth_and_differ_from_each_other() -> None:
    walk = random_walk(200, 2, torch.Generator().manual_seed(1))
    velocity = walk.diff(dim=1)
    straight = torch.cosine_similarity(velocity[:, 1:], velocity[:, :-1], dim=2)
    assert straight.median() > 0.9
    assert straight.min() < -0.5, "none was thrown back"
    length, reach = velocity.norm(dim=2).sum(1), (walk.amax(1) - walk.amin(1)).amax(1)
    assert (length / reach).std() > 0.2


def test_the_kind_and_the_extent_of_a_picture_change_no_other() -> None:
    both = {"extent": torch.tensor([15.0, 15.0]), "path": torch.tensor([0.0, 0.0])}
    mixed = {"extent": torch.tensor([15.0, 8.0]), "path": torch.tensor([0.0, 1.0])}
    one, two = (drawn_path(p, 2, 15.0, torch.Generator().manual_seed(2)) for p in (both, mixed))
    assert torch.equal(one[0], two[0])
    assert not torch.equal(one[1], two[1])


def test_the_roll_spans_one() -> None:
    for kind in PATHS:
        roll = paths(15.0, kind, axes=3)[..., 2]
        torch.testing.assert_close(roll.amax(1) - roll.amin(1), torch.ones(60))
        assert roll.mean(1).abs().max() < 1e-5
