from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from unblemish.examination import observations as module
from unblemish.examination.classifier import MEMBERS
from unblemish.examination.errors import ExaminationError, PairSizeError
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.observations import observe
from unblemish.examination.specimens import specimens
from unblemish.examination.statistics import measure
from unblemish.networks.srresnet import srresnet_x4_compact
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write

KINDS = ("clean", "gaussian_noise")


@pytest.fixture
def forbid(monkeypatch):
    """Makes measuring fail."""

    def refuse(*_):
        raise AssertionError("measured again")

    return lambda: monkeypatch.setattr(module, "measure", refuse)


def test_observations_are_the_measurements(describe_with, photographs, tmp_path) -> None:
    found = observe(describe_with, photographs[:2], KINDS, tmp_path, seed=5)
    assert [(one.path, one.kind) for one in found] == [(path, kind) for path in photographs[:2] for kind in KINDS]
    noisy = found[3]
    specimen = list(specimens(photographs[1], KINDS, 5))[1]
    measured = measure(describe_with, specimen.damaged)
    torch.testing.assert_close(noisy.moments, measured.moments)
    torch.testing.assert_close(noisy.tones, measured.tones)
    assert noisy.signature.tolist() == pytest.approx([measured.signature.alpha, measured.signature.sigma])
    difference = measured.grid.cut(specimen.damaged - specimen.clean)
    torch.testing.assert_close(noisy.errors, difference.square().mean((1, 2, 3)))


def test_nothing_is_measured_twice(describe_with, photographs, tmp_path, forbid) -> None:
    folder = tmp_path / "new" / "folder"
    first = observe(describe_with, photographs[:3], KINDS, folder)
    forbid()
    again = observe(describe_with, photographs[:3], KINDS, folder)
    for one, other in zip(first, again, strict=True):
        assert (one.path, one.kind) == (other.path, other.kind)
        for part in ("moments", "tones", "signature", "errors"):
            assert torch.equal(getattr(one, part), getattr(other, part))


def test_an_interrupted_calibration_goes_on(describe_with, photographs, tmp_path, monkeypatch) -> None:
    observe(describe_with, photographs[:2], KINDS, tmp_path)
    measured = []
    monkeypatch.setattr(module, "measure", lambda features, x: measured.append(x) or measure(features, x))
    assert len(observe(describe_with, photographs[:3], KINDS, tmp_path)) == 6
    assert len(measured) == len(KINDS)


@pytest.mark.parametrize("changed", ["descriptor", "seed", "kinds", "version", "photograph"])
def test_what_changed_is_measured_anew(describe_with, photographs, tmp_path, forbid, changed: str, monkeypatch) -> None:
    photograph = tmp_path / "photograph.png"
    photograph.write_bytes(photographs[0].read_bytes())
    given = {"features": describe_with, "paths": [photograph], "kinds": KINDS, "folder": tmp_path / "kept", "seed": 0}
    observe(**given)
    forbid()
    observe(**given)
    if changed == "descriptor":
        torch.manual_seed(1)
        given["features"] = DeepRepresentation(srresnet_x4_compact(blocks=1, width=4), "trunk")
    elif changed == "version":
        monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    elif changed == "photograph":
        photograph.write_bytes(photographs[1].read_bytes())
    else:
        given[changed] = {"seed": 1, "kinds": ("clean", "jpeg")}[changed]
    with pytest.raises(AssertionError, match="measured again"):
        observe(**given)


def test_unreadable_photographs_are_left_out(describe_with, photographs, tmp_path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    told = []
    found = observe(
        describe_with,
        [broken, photographs[0]],
        KINDS,
        tmp_path / "kept",
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert {one.path for one in found} == {photographs[0]}
    assert told == [(2, 2)]
    with pytest.raises(ExaminationError, match="none of 1 photographs can be read; give a folder"):
        observe(describe_with, [broken], KINDS, tmp_path / "kept")


def test_specimens_of_a_photograph_share_a_fold(observations, photographs) -> None:
    folds = {one.path: one.fold for one in observations}
    assert all(one.fold == folds[one.path] for one in observations)
    assert {*folds.values()} == {*range(MEMBERS)}


@pytest.fixture
def fog(photographs, tmp_path) -> dict[str, dict[Path, Path]]:
    """The first photograph, darkened, as given damage."""
    write(Picture(read(photographs[0]).pixels // 2, "png"), tmp_path / "fog.png")
    return {"fog": {photographs[0]: tmp_path / "fog.png"}}


def test_given_damage_is_observed(describe_with, photographs, tmp_path, fog) -> None:
    kinds = ("clean", "fog", "gaussian_noise")
    found = observe(describe_with, photographs[:2], kinds, tmp_path / "kept", given=fog)
    assert [(one.path, one.kind) for one in found] == [
        *((photographs[0], kind) for kind in kinds),
        (photographs[1], "clean"),
        (photographs[1], "gaussian_noise"),
    ]
    (specimen,) = specimens(photographs[0], ("fog",), 0, fog)
    torch.testing.assert_close(found[1].moments, measure(describe_with, specimen.damaged).moments)


def test_other_partners_are_measured_anew(describe_with, photographs, tmp_path, fog, forbid) -> None:
    given = {"features": describe_with, "paths": photographs[:2], "kinds": ("clean", "fog"), "folder": tmp_path / "new"}
    first = observe(**given, given=fog)
    observe(describe_with, photographs[1:2], ("clean",), tmp_path / "new")  # a photograph without partner is as ever
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "measure", None)
        again = observe(**given, given=fog)
    assert all(torch.equal(one.moments, other.moments) for one, other in zip(first, again, strict=True))
    forbid()
    observe(describe_with, photographs[1:2], ("clean",), tmp_path / "new")
    damaged = fog["fog"][photographs[0]]
    write(Picture(read(damaged).pixels // 2, "png"), damaged, overwrite=True)
    with pytest.raises(AssertionError, match="measured again"):
        observe(**given, given=fog)


def test_other_kinds_alone_are_measured_when_some_join(describe_with, photographs, tmp_path, monkeypatch) -> None:
    first = observe(describe_with, photographs[:1], KINDS, tmp_path)
    measured = []
    monkeypatch.setattr(module, "measure", lambda features, x: measured.append(x) or measure(features, x))
    again = observe(describe_with, photographs[:1], ("jpeg", *KINDS), tmp_path)
    assert [one.kind for one in again] == ["jpeg", *KINDS]
    assert len(measured) == 1
    assert torch.equal(again[2].moments, first[1].moments)


def test_the_names_of_stored_observations_stay(tmp_path, monkeypatch) -> None:
    """What earlier versions stored is found again: these are names that the first of them gave."""

    class Features:
        fingerprint = "descriptor"

    pixels = bytes(number % 251 for number in range(8 * 8 * 3))
    header = struct.pack("<IHHIIiiHHIIiiII", 54 + len(pixels), 0, 0, 54, 40, 8, 8, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    (tmp_path / "photograph.bmp").write_bytes(b"BM" + header + pixels)
    seen = {part: torch.zeros(1) for part in ("moments", "tones", "signature", "errors")}
    monkeypatch.setattr(module, "_measured", lambda *_: ((kind, seen) for kind in ("clean", "jpeg")))
    observe(Features(), [tmp_path / "photograph.bmp"], ("clean", "jpeg"), tmp_path / "kept", seed=3)
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {
        "bb565e8ec524623e609b0860.safetensors",
        "34cf0126cd151eaf2b38d69b.safetensors",
    }


def test_pairs_of_two_sizes_are_not_left_out(describe_with, photographs, tmp_path, fog) -> None:
    damaged = fog["fog"][photographs[0]]
    write(Picture(read(damaged).pixels[:-1], "png"), damaged, overwrite=True)
    with pytest.raises(PairSizeError, match=r"fog\.png: a pair must have one size"):
        observe(describe_with, photographs[:2], ("clean", "fog"), tmp_path / "kept", given=fog)


def test_photographs_with_unreadable_partners_are_left_out(describe_with, photographs, tmp_path, fog) -> None:
    for spoil in (lambda path: path.write_text("no picture"), Path.unlink):
        spoil(fog["fog"][photographs[0]])
        found = observe(describe_with, photographs[:2], ("clean", "fog"), tmp_path / "kept", given=fog)
        assert {one.path for one in found} == {photographs[1]}
