from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from unblemish.degradations.blends import Blend
from unblemish.degradations.catalogue import create
from unblemish.evaluation.cases import (
    CLEAN,
    Case,
    CaseSet,
    DegradedFolder,
    Unusable,
    load_rgb,
)
from unblemish.pictures.errors import PictureError


def by_name(cases: CaseSet) -> dict[str, torch.Tensor]:
    return {case.name: case.damaged for case in cases if isinstance(case, Case)}


def test_damage_depends_on_the_picture_alone(photos: Path, tmp_path: Path) -> None:
    everything = by_name(DegradedFolder(photos, create("gaussian_noise"), sampled=True, seed=3))
    assert list(everything) == ["a.png", "b.png", "more/gray.png"]
    one = by_name(DegradedFolder(photos, create("gaussian_noise"), sampled=True, seed=3, limit=1))
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(photos / "b.png", other)
    alone = by_name(DegradedFolder(other, create("gaussian_noise"), sampled=True, seed=3))
    assert torch.equal(one["a.png"], everything["a.png"])
    assert torch.equal(alone["b.png"], everything["b.png"])
    again = by_name(DegradedFolder(photos, create("gaussian_noise"), sampled=True, seed=4))
    assert not torch.equal(again["b.png"], everything["b.png"])


def test_two_pictures_get_different_noise(photos: Path) -> None:
    shutil.copy(photos / "a.png", photos / "b.png")
    noise = by_name(DegradedFolder(photos, create("gaussian_noise")))
    assert not torch.equal(noise["a.png"], noise["b.png"])


@pytest.mark.parametrize("name", ["gaussian_noise", "motion_blur", "blend"])
def test_damaged_pictures_are_what_a_file_would_hold(name: str, photos: Path) -> None:
    degradation = Blend("moderate") if name == "blend" else create(name)
    for case in DegradedFolder(photos, degradation, sampled=True):
        assert isinstance(case, Case)
        assert case.damaged.shape == case.clean.shape == (1, 3, 64, 96)
        assert torch.equal(case.damaged, (case.damaged * 255).round() / 255)
        assert not torch.equal(case.damaged, case.clean)


def test_fixed_parameters_and_how_they_are_named(photos: Path) -> None:
    default = DegradedFolder(photos, create("gaussian_noise"))
    weak = DegradedFolder(photos, create("gaussian_noise"), values={"sigma": 5})
    assert (weak.name, weak.kind, weak.damage) == (
        "gaussian_noise:sigma=5",
        "gaussian_noise",
        "sigma=5, seed 0",
    )
    assert default.damage == "sigma=50, seed 0"
    assert DegradedFolder(photos, create("jpeg"), seed=1).damage == "quality=20, subsampling=4:2:0, seed 1"
    assert "published ranges, seed 7" in DegradedFolder(photos, create("jpeg"), sampled=True, seed=7).damage
    for before, after in zip(default, weak, strict=True):
        assert isinstance(before, Case)
        assert isinstance(after, Case)
        assert (after.damaged - after.clean).abs().mean() < (before.damaged - before.clean).abs().mean() / 4
    with pytest.raises(ValueError, match="not both"):
        DegradedFolder(photos, create("jpeg"), values={"quality": 5}, sampled=True)
    with pytest.raises(ValueError, match="no parameter"):
        DegradedFolder(photos, create("jpeg"), values={"sigma": 5})


def test_clean_pictures_stay_clean_and_gray_becomes_rgb(photos: Path) -> None:
    cases = DegradedFolder(photos, None)
    assert (cases.kind, cases.name, cases.source) == (CLEAN, "clean", f"{photos.parent.name}/photos")
    for case in cases:
        assert isinstance(case, Case)
        assert torch.equal(case.damaged, case.clean)
    gray = load_rgb(photos / "more" / "gray.png")
    assert torch.equal(gray[:, 0], gray[:, 1])
    assert torch.equal(gray[:, 0], gray[:, 2])


def test_a_broken_picture_is_named_and_the_rest_goes_on(photos: Path) -> None:
    (photos / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    found = list(DegradedFolder(photos, None))
    assert [type(case) for case in found] == [Case, Unusable, Case]
    assert isinstance(found[1], Unusable)
    assert found[1].name == "b.png"
    assert "b.png" in found[1].reason


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds no picture"):
        DegradedFolder(tmp_path, None)
