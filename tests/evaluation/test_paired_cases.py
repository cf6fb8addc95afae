from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from unblemish.evaluation.cases import Case, Unusable
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.paired_cases import PairedFolder
from unblemish.pictures.errors import PictureError


def test_pairs_are_found_by_name_whatever_the_suffix(photos: Path) -> None:
    pairs = photos.parent / "pairs"
    shutil.copytree(photos, pairs / "clear")
    (pairs / "hazy").mkdir()
    Image.open(photos / "a.png").save(pairs / "hazy" / "a.bmp")
    Image.new("RGB", (7, 5)).save(pairs / "hazy" / "b.png")
    Image.new("RGB", (7, 5)).save(pairs / "hazy" / "c.png")
    cases = PairedFolder(pairs, name="haze")
    assert (cases.kind, cases.title, len(cases)) == ("haze", "Haze", 3)
    first, second, third = cases
    assert isinstance(first, Case)
    assert torch.equal(first.damaged, first.clean)
    assert isinstance(second, Unusable)
    assert "7 x 5 and 96 x 64" in second.reason
    assert isinstance(third, Unusable)
    assert "no clean original" in third.reason
    assert len(PairedFolder(pairs, limit=1)) == 1


def test_pairs_of_scenes_are_found_by_known_or_given_names(photos: Path) -> None:
    pairs = photos.parent / "test"
    for scene in ("one", "two"):
        for number, name in enumerate(("sharp", "blur", "blur_gamma")):
            (pairs / scene / name).mkdir(parents=True)
            Image.new("RGB", (9, 7), (number, 0, 0)).save(pairs / scene / name / "0001.png")
    known, given = PairedFolder(pairs), PairedFolder(pairs, ("blur_gamma", "sharp"))
    assert (known.damage, given.damage) == (
        "as found in the files, blur and sharp",
        "as found in the files, blur_gamma and sharp",
    )
    for cases, red in ((known, 1), (given, 2)):
        assert len(cases) == 2
        for case, name in zip(cases, ("one/0001", "two/0001"), strict=True):
            assert isinstance(case, Case)
            assert case.name == name
            assert (case.damaged[0, 0].max() * 255, case.clean.max()) == (red, 0)


def test_folders_that_do_not_pair(photos: Path) -> None:
    with pytest.raises(EvaluationError, match=r"holds no pair of subfolders.*hazy and clear"):
        PairedFolder(photos)
    with pytest.raises(PictureError, match="holds no folders more and less side by side"):
        PairedFolder(photos, ("more", "less"))
