from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unblemish.degradations.catalogue import GRIDS_ELEVEN, names
from unblemish.degradations.errors import DegradationError
from unblemish.training.synthesis import Synthesis


def clean_batch(size: int = 24) -> torch.Tensor:
    values = torch.randint(256, (size, 3, 32, 32), generator=torch.Generator().manual_seed(3))
    return (values / 255).contiguous(memory_format=torch.channels_last)


def test_equal_seeds_give_equal_batches_and_others_do_not() -> None:
    synthesis, clean = Synthesis(GRIDS_ELEVEN), clean_batch()
    first = synthesis(clean, 5)
    assert torch.equal(first, synthesis(clean, 5))
    assert not torch.equal(first, synthesis(clean, 6))


def test_global_generators_do_not_matter_and_the_input_stays() -> None:
    synthesis, clean = Synthesis(GRIDS_ELEVEN), clean_batch()
    kept = clean.clone()
    torch.manual_seed(1)
    first = synthesis(clean, 5)
    torch.manual_seed(2)
    assert torch.equal(first, synthesis(clean, 5))
    assert torch.equal(clean, kept)


def test_results_are_what_an_8_bit_file_holds() -> None:
    damaged = Synthesis(names())(clean_batch(), 0)
    levels = damaged * 255
    assert damaged.dtype == torch.float32
    assert damaged.shape == (24, 3, 32, 32)
    assert float((levels - levels.round()).abs().max()) < 1e-4
    assert float(damaged.min()) >= 0
    assert float(damaged.max()) <= 1


def test_the_share_of_undamaged_patches_is_as_asked() -> None:
    clean = clean_batch(1).expand(400, -1, -1, -1)[..., :8, :8]
    damaged = Synthesis(["gaussian_noise"], clean=0.25)(clean, 1)
    same = (damaged == clean).flatten(1).all(1).float().mean()
    assert float(same) == pytest.approx(0.25, abs=0.09)  # four standard deviations


def test_all_kinds_come_up_equally_often() -> None:
    clean = torch.full((600, 3, 8, 8), 0.5)
    damaged = Synthesis(["gaussian_noise", "salt_and_pepper"])(clean, 1)
    grays = ((damaged - 0.5).abs() < 0.01).flatten(1).float().mean(1)
    salted = (grays > 0.5).float().mean()  # noise leaves hardly any pixel as it was
    assert float(salted) == pytest.approx(0.5, abs=0.09)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(DegradationError, match="gausian"):
        Synthesis(["gausian_noise"])


def test_shrinking_follows_the_damage() -> None:
    clean = clean_batch(4)
    small = Synthesis([], shrink=4)(clean, 0)
    expected = torch.nn.functional.interpolate(clean, (8, 8), mode="bicubic", antialias=True).clamp(0, 1)
    assert float((small - expected).abs().max()) <= 0.5 / 255 + 1e-6
    noisy = Synthesis(["gaussian_noise"], shrink=4)(clean, 0)
    assert noisy.shape == (4, 3, 8, 8)
    assert not torch.equal(noisy, small)


def test_given_parameters_are_not_drawn() -> None:
    clean = torch.full((8, 3, 64, 64), 0.5)
    given = Synthesis(["gaussian_noise:sigma=20"])(clean, 1)
    drawn = Synthesis(["gaussian_noise"])(clean, 1)
    spreads = (given - clean).flatten(1).std(1) * 255
    assert spreads.tolist() == pytest.approx([20] * 8, abs=0.6)
    assert (drawn - clean).flatten(1).std(1).std() * 255 > 3


def test_patches_may_be_truncated_or_not_rounded() -> None:
    clean = torch.full((4, 3, 64, 64), 100 / 255)
    exact = Synthesis(["gaussian_noise:sigma=20"], rounding="none")(clean, 1) * 255
    cut = Synthesis(["gaussian_noise:sigma=20"], rounding="truncated")(clean, 1) * 255
    assert not torch.equal(exact, exact.round())
    torch.testing.assert_close(cut, exact.floor(), rtol=0, atol=1e-3)


def test_given_kernels_are_one_more_damage(tmp_path: Path) -> None:
    np.save(tmp_path / "right.npy", [[0, 0, 0, 0, 1]])
    clean = torch.rand(400, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    moved = Synthesis([], kernels=tmp_path, rounding="none")(clean, 0)
    assert float((moved[..., 2:] - clean[..., :-2]).std() * 255) == pytest.approx(1.15, abs=0.1)  # noise of 0 to 2
    both = Synthesis(["gaussian_noise:sigma=50"], kernels=tmp_path)(clean, 0)
    same = (both[..., 2:] - clean[..., :-2]).abs().flatten(1).mean(1) < 0.02
    assert float(same.float().mean()) == pytest.approx(0.5, abs=0.1)  # four standard deviations


def test_kernels_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DegradationError, match="holds no kernel"):
        Synthesis(["jpeg"], kernels=tmp_path)
