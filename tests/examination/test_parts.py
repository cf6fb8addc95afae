from __future__ import annotations

import torch

from unblemish.examination.parts import damaged_part, speaks_for

CLEAN, NOISE, BLUR = [0.98, 0.01, 0.0, 0.01], [0.02, 0.95, 0.02, 0.01], [0.02, 0.02, 0.95, 0.01]
DOUBTFUL = [0.4, 0.3, 0.2, 0.1]


def patches(clean: int, noise: int = 0, blur: int = 0, doubtful: int = 0) -> torch.Tensor:
    return torch.tensor([CLEAN] * clean + [NOISE] * noise + [BLUR] * blur + [DOUBTFUL] * doubtful)


def test_the_damaged_patches_are_a_part_if_others_are_sound() -> None:
    found = damaged_part(patches(clean=4, noise=3, doubtful=1))
    assert found is not None
    assert found.tolist() == [4, 5, 6]
    assert damaged_part(patches(clean=2, noise=8)) is not None
    assert damaged_part(patches(clean=1, noise=8)) is None  # all over
    assert damaged_part(patches(clean=9, noise=2)) is None  # too few
    assert damaged_part(patches(clean=9)) is None
    assert damaged_part(patches(clean=0, noise=1)) is None  # a tiny picture


def test_most_damaged_patches_have_to_agree() -> None:
    assert speaks_for(patches(clean=5, noise=3), 1)
    assert speaks_for(patches(clean=5, noise=3, blur=3), 1)
    assert not speaks_for(patches(clean=5, noise=3, blur=4), 1)
    assert not speaks_for(patches(clean=5, noise=3, doubtful=4), 1)
    assert not speaks_for(patches(clean=5, noise=2), 1)
    assert not speaks_for(patches(clean=5, noise=3), 2)
