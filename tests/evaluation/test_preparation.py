from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.degradations.catalogue import create
from unblemish.evaluation.cases import Case, CaseSet, DegradedFolder, Unusable, load_rgb
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.paired_cases import PairedFolder
from unblemish.evaluation.preparation import Preparation

NOISE = {"sigma": 30}


def cases_of(cases: CaseSet) -> dict[str, Case]:
    return {case.name: case for case in cases if isinstance(case, Case)}


def noisy(folder: Path, **preparation) -> DegradedFolder:
    noise = create("gray_gaussian_noise")
    return DegradedFolder(folder, noise, values=NOISE, preparation=Preparation(gray=True, **preparation))


@pytest.fixture
def odd(tmp_path: Path, make_scene: Callable[..., np.ndarray]) -> Path:
    """A folder with a picture of 151 x 98 pixels, and one of 151 x 31."""
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.fromarray(make_scene(0, 98, 151)).save(folder / "a.png")
    Image.fromarray(make_scene(1, 31, 151)).save(folder / "low.png")
    return folder


def test_gray_pictures_are_those_of_pillow(photos: Path) -> None:
    for name, case in cases_of(DegradedFolder(photos, None, preparation=Preparation(gray=True))).items():
        expected = np.asarray(Image.open(photos / name).convert("L"))
        assert torch.equal(case.clean, torch.from_numpy(expected / np.float32(255)).expand(1, 3, -1, -1))
        assert torch.equal(case.clean, case.damaged)


def test_deep_pictures_turn_gray_at_eight_bits(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 128, 129, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert (load_rgb(tmp_path / "deep.png", gray=True) * 255)[0, 0, 0].tolist() == [0, 0, 1, 255]


def test_the_centre_is_kept_of_clean_and_damaged_alike(odd: Path) -> None:
    whole = cases_of(noisy(odd))["a.png"]
    cut = list(noisy(odd, multiple=32))
    assert len(cut) == len(noisy(odd, multiple=32)) == 2
    case, low = cut
    assert isinstance(case, Case)
    assert case.clean.shape == case.damaged.shape == (1, 3, 96, 128)
    assert torch.equal(case.clean, whole.clean[..., 1:97, 11:139])
    assert torch.equal(case.damaged, whole.damaged[..., 1:97, 11:139])
    assert isinstance(low, Unusable)
    assert low.name == "low.png"
    assert "151 x 31 pixels hold no square of 32 x 32" in low.reason


def test_patches_tile_that_crop_and_have_its_noise(odd: Path) -> None:
    (crop,) = cases_of(noisy(odd, multiple=32)).values()
    cases = noisy(odd, patch=32)
    patches = cases_of(cases)
    assert len(cases) == len(list(cases)) == 13
    assert list(patches)[:2] == ["a.png at 11,1", "a.png at 43,1"]
    for name, patch in patches.items():
        left, top = (int(number) for number in name.partition(" at ")[2].split(","))
        rows, columns = slice(top - 1, top + 31), slice(left - 11, left + 21)
        assert torch.equal(patch.clean, crop.clean[..., rows, columns])
        assert torch.equal(patch.damaged, crop.damaged[..., rows, columns])


def test_the_rounding_of_damaged_pictures(photos: Path) -> None:
    exact, nearest, truncated = (
        {name: case.damaged.double() * 255 for name, case in cases_of(noisy(photos, rounding=way)).items()}
        for way in ("none", "nearest", "truncated")
    )
    for name, values in exact.items():
        assert (values != values.round()).any()
        assert 0 <= values.min() <= values.max() <= 255
        assert (nearest[name] - values).abs().max() < 0.501
        behind = values - truncated[name]
        assert -0.001 < behind.min() <= behind.max() < 1.001
        assert behind.mean() == pytest.approx(0.5, abs=0.05)


def test_sets_say_what_was_done(photos: Path) -> None:
    assert noisy(photos, multiple=32, rounding="truncated").damage == (
        "sigma=30, seed 0, gray, truncated to 8 bit, centre crop to multiples of 32"
    )
    cut = noisy(photos, patch=32, rounding="none")
    assert cut.damage == "sigma=30, seed 0, gray, not rounded, centre crop to multiples of 32, 32 x 32 patches"
    assert cut.source == f"{photos.parent.name}/photos, 32 x 32 patches"
    clean = DegradedFolder(photos, None, preparation=Preparation(multiple=32, rounding="none"))
    assert clean.damage == "none, centre crop to multiples of 32"


def test_pairs_are_turned_and_cut_but_never_rounded(photos: Path) -> None:
    pairs = photos.parent / "pairs"
    shutil.copytree(photos, pairs / "clear")
    shutil.copytree(photos, pairs / "hazy")
    (pairs / "hazy" / "b.png").write_text("junk")
    cases = PairedFolder(pairs, preparation=Preparation(gray=True, patch=32))
    found = list(cases)
    assert len(cases) == len(found) == 6 + 1 + 6
    assert [type(case) for case in found].count(Unusable) == 1
    first = found[0]
    assert isinstance(first, Case)
    assert first.damaged.shape == first.clean.shape == (1, 3, 32, 32)
    assert torch.equal(first.clean[:, 0], first.clean[:, 2])
    crops = "gray, centre crop to multiples of 32, 32 x 32 patches"
    assert cases.damage == f"as found in the files, hazy and clear, {crops}"
    with pytest.raises(EvaluationError, match="leave the rounding out"):
        PairedFolder(pairs, preparation=Preparation(rounding="truncated"))


def test_impossible_preparations_are_refused() -> None:
    with pytest.raises(EvaluationError, match="exclude each other"):
        Preparation(multiple=64, patch=64)
    for wrong in ({"multiple": 0}, {"patch": -1}):
        with pytest.raises(ValueError, match="1 or more pixels"):
            Preparation(**wrong)
