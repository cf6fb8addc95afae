from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unblemish.examination import classifier, observations
from unblemish.examination.errors import ExaminationError
from unblemish.examination.examiner import Examiner
from unblemish.examination.knowledge import Knowledge
from unblemish.networks.srresnet import srresnet_x4_compact
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write
from unblemish.restoration import calibrating, gains
from unblemish.restoration.calibrating import calibrate
from unblemish.restoration.examining import describer
from unblemish.restoration.treatment import Treatment

GROUPS = {"noise": ("gaussian_noise",), "dots": ("salt_and_pepper",)}


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(classifier, "STEPS", 60)
    monkeypatch.setattr(calibrating, "STRANGE", ("darkness", "gaussian_noise"))


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    paths = []
    for number in range(10):
        coarse = draw.integers(30, 226, (9, 9, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        paths.append(tmp_path / f"{number}.png")
        write(Picture(coarse, "png"), paths[-1])
    return paths


@pytest.fixture
def descriptor():
    torch.manual_seed(0)
    return srresnet_x4_compact(blocks=1, width=4)


def treated(identity, groups):
    """For each group a treatment that changes nothing."""
    return {name: Treatment(identity().eval(), name, device="cpu") for name in groups}


def test_from_photographs_to_an_examiner_and_on_after_an_interruption(
    photographs, descriptor, identity, tmp_path, monkeypatch
) -> None:
    told = []
    treatments = treated(identity, GROUPS)

    def run(on_progress=lambda what, done, total: told.append((what, done, total))):
        return calibrate(
            descriptor,
            GROUPS,
            treatments,
            photographs,
            tmp_path / "kept",
            pictures_for_gains=10,
            on_progress=on_progress,
        )

    knowledge = run()
    assert knowledge.settings.kinds == ("clean", "gaussian_noise", "salt_and_pepper", "darkness")
    assert knowledge.settings.groups == GROUPS
    assert {*knowledge.settings.margin} == {"gaussian_noise", "salt_and_pepper", "darkness"}
    assert told == [("measuring photographs", k, 10) for k in range(1, 11)] + [
        ("treating photographs", k, 10) for k in range(1, 11)
    ]
    found = Examiner(describer(descriptor, "cpu"), knowledge).examine_tensor(torch.rand(3, 64, 64))
    assert found.gain.expected == pytest.approx(0, abs=1)  # nothing was ever gained

    def refuse(*_):
        raise AssertionError("done again")

    monkeypatch.setattr(observations, "measure", refuse)
    monkeypatch.setattr(gains, "specimens", refuse)
    again = run()
    assert again.settings == knowledge.settings
    for name, value in knowledge.tensors().items():
        assert torch.equal(again.tensors()[name], value)


def test_too_few_photographs(photographs, descriptor, identity, tmp_path) -> None:
    treatments = treated(identity, GROUPS)
    with pytest.raises(ExaminationError, match="too few photographs to calibrate on"):
        calibrate(descriptor, GROUPS, treatments, photographs[:2], tmp_path / "kept")
    with pytest.raises(ExaminationError, match="too few gains to calibrate on"):
        calibrate(descriptor, GROUPS, treatments, photographs, tmp_path / "kept", pictures_for_gains=1)
    with pytest.raises(ExaminationError, match="none of 0 photographs can be read"):
        calibrate(descriptor, GROUPS, treatments, [], tmp_path / "kept")


def test_the_descriptor_must_be_one(photographs, identity, tmp_path) -> None:
    with pytest.raises(ExaminationError, match="a Identity cannot describe damage: give an srresnet_x4 network"):
        calibrate(identity(), GROUPS, treated(identity, GROUPS), photographs, tmp_path / "kept")


def faded(photographs: list[Path], folder: Path) -> dict[Path, Path]:
    """Partners with half the contrast."""
    folder.mkdir()
    for path in photographs:
        write(Picture(read(path).pixels // 2 + 64, "png"), folder / path.name)
    return {path: folder / path.name for path in photographs}


@pytest.mark.parametrize("paired", [10, 7])
def test_damage_is_learnt_from_pairs(photographs, descriptor, identity, tmp_path, paired: int) -> None:
    """Also where not every photograph has a partner."""
    groups = {**GROUPS, "faded": ("fading",)}
    knowledge = calibrate(
        descriptor,
        groups,
        treated(identity, groups),
        photographs,
        tmp_path / "kept",
        given={"fading": faded(photographs[:paired], tmp_path / "faded")},
    )
    assert knowledge.settings.kinds == ("clean", "gaussian_noise", "salt_and_pepper", "fading", "darkness")
    assert "fading" in knowledge.settings.margin
    again = Knowledge.from_parts(knowledge.tensors(), knowledge.settings.model_dump(mode="json"))
    found = Examiner(describer(descriptor, "cpu"), again).examine_tensor(torch.rand(3, 64, 64))
    assert {*found.degradations} == {"gaussian_noise", "salt_and_pepper", "fading"}


def test_pairs_that_teach_nothing(photographs, descriptor, identity, tmp_path) -> None:
    partners = faded(photographs[5:], tmp_path / "faded")

    def run(kind: str, pictures: int) -> None:
        groups = {**GROUPS, "faded": ("fading",)}
        treatments = treated(identity, groups)
        kept = tmp_path / "kept"
        given = {kind: partners}
        calibrate(descriptor, groups, treatments, photographs, kept, pictures_for_gains=pictures, given=given)

    with pytest.raises(ExaminationError, match="pairs are given of haze, which is of no group"):
        run("haze", 10)
    with pytest.raises(
        ExaminationError, match=r"none of the 5 photographs that are treated has .*'fading': .*0\.png has"
    ):
        run("fading", 5)
    assert not (tmp_path / "kept").exists()
    for path in partners.values():
        path.write_text("no picture")
    with pytest.raises(ExaminationError, match="none of the 5 photographs that are treated has a damaged partner"):
        run("fading", 10)


def test_what_is_left_in_dark_and_pale_scenes(tmp_path) -> None:
    groups = {"haze": ("haze", "moderate_blend_with_haze"), "dim": ("darkness", "jpeg"), "fading": ("fading",)}
    assert calibrating.left_in_scenes(groups) == {
        "haze": "clean",
        "moderate_blend_with_haze": "clean",
        "darkness": "clean",
    }
    blends = {**groups, "blend": ("moderate_blend",)}
    assert calibrating.left_in_scenes(blends)["moderate_blend_with_haze"] == "moderate_blend"
    assert calibrating.left_in_scenes(groups, {"haze": {tmp_path: tmp_path}}).keys() == {
        "moderate_blend_with_haze",
        "darkness",
    }
    fading = {"fading": {tmp_path: tmp_path}}
    assert "fading" not in calibrating.left_in_scenes(groups, fading)
    assert calibrating.left_in_scenes(groups, fading, ["fading"])["fading"] == "clean"
