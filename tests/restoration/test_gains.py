from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unblemish.evaluation.metrics import psnr
from unblemish.examination.observations import Observation
from unblemish.examination.specimens import specimens
from unblemish.networks.base import Network
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write
from unblemish.restoration import gains as module
from unblemish.restoration.gains import measure_gains
from unblemish.restoration.treatment import Treatment

KINDS = ("clean", "gaussian_noise", "gaussian_blur")


class Smooth(Network):
    """The mean over 3 x 3 pixels: takes noise away, and sharpness."""

    receptive_field = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3, 1, 3, 3), 1 / 9))

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, self.weight.to(x.dtype), padding=1, groups=3)


class Blacken(Smooth):
    """Loses the picture."""

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return super().transform(x) * 0


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    paths = []
    for number in range(3):
        coarse = draw.integers(40, 216, (12, 12, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        paths.append(tmp_path / f"{number}.png")
        write(Picture(coarse, "png"), paths[-1])
    return paths


def observations(paths: list[Path], kinds: tuple[str, ...] = KINDS) -> list[Observation]:
    empty = torch.zeros(0)
    return [Observation(path, kind, empty, empty, empty, empty) for path in paths for kind in kinds]


def treatment(network: Network) -> Treatment:
    return Treatment(network.eval(), device="cpu", precision="float32")


def test_gains_are_differences_of_psnr(photographs, tmp_path) -> None:
    seen = observations(photographs)
    found = measure_gains(
        seen, ["any"] * len(seen), {"any": treatment(Smooth())}, tmp_path / "kept", pictures=3, seed=4
    )
    assert len(found) == len(seen)
    assert [gain is None for gain in found] == [one.kind == "clean" for one in seen]
    for path, gain in zip(photographs, found[1::3], strict=True):
        assert gain is not None
        assert gain > 1
        (noisy,) = specimens(path, ("gaussian_noise",), 4)
        treated = Smooth()(noisy.damaged[None]).detach().clamp(0, 1).mul(255).round() / 255
        expected = psnr(treated, noisy.clean[None]) - psnr(noisy.damaged[None], noisy.clean[None])
        assert gain == pytest.approx(float(expected), abs=0.05)


def test_each_group_has_its_own_treatment(photographs, tmp_path, identity) -> None:
    seen = observations(photographs[:1])
    treatments = {"smooth": treatment(Smooth()), "leave": treatment(identity())}
    _, noise, blur = measure_gains(seen, ["leave", "smooth", "leave"], treatments, tmp_path / "kept", pictures=1)
    assert noise is not None
    assert noise > 0.1
    assert blur == 0


def test_only_so_many_photographs_are_treated(photographs, tmp_path) -> None:
    seen, told = observations(photographs), []
    found = measure_gains(
        seen,
        ["any"] * len(seen),
        {"any": treatment(Smooth())},
        tmp_path / "kept",
        pictures=2,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert [gain is not None for gain in found] == [False, True, True] * 2 + [False] * 3
    assert told == [(1, 2), (2, 2)]


def test_losses_are_cut(photographs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "CEILING", 8.0)
    seen = observations(photographs[:1])
    found = measure_gains(seen, ["any"] * 3, {"any": treatment(Blacken())}, tmp_path / "kept", pictures=1)
    assert all(gain is None or -8 <= gain < 0 for gain in found)
    assert -8 in found


def test_nothing_is_treated_twice(photographs, tmp_path, monkeypatch) -> None:
    def measured(network: Network, seed: int = 0) -> list[float | None]:
        seen = observations(photographs)
        given = {"any": treatment(network)}
        return measure_gains(seen, ["any"] * len(seen), given, tmp_path / "kept", pictures=3, seed=seed)

    def refuse(*_):
        raise AssertionError("treated again")

    first = measured(Smooth())
    monkeypatch.setattr(module, "specimens", refuse)
    assert measured(Smooth()) == first
    with pytest.raises(AssertionError, match="treated again"):
        measured(Smooth(), seed=1)
    other = Smooth()
    other.weight.data += 0.01
    with pytest.raises(AssertionError, match="treated again"):
        measured(other)


def test_other_kinds_alone_are_treated_when_some_join(photographs, tmp_path, monkeypatch) -> None:
    def measured(kinds: tuple[str, ...]) -> list[float | None]:
        seen = observations(photographs[:1], kinds)
        return measure_gains(seen, ["any"] * len(seen), {"any": treatment(Smooth())}, tmp_path / "kept", pictures=1)

    first = measured(KINDS)
    asked = []
    monkeypatch.setattr(
        module, "specimens", lambda path, kinds, *more: asked.append(kinds) or specimens(path, kinds, *more)
    )
    again = measured(("jpeg", *KINDS))
    assert asked == [["jpeg"]]
    assert again[1:] == first


def test_gains_on_given_damage(photographs, tmp_path, monkeypatch) -> None:
    pixels = read(photographs[0]).pixels
    noise = np.random.default_rng(0).normal(0, 25, pixels.shape)
    damaged = tmp_path / "damaged.png"
    write(Picture(np.rint(np.clip(pixels + noise, 0, 255)).astype(np.uint8), "png"), damaged)
    given = {"grit": {photographs[0]: damaged}}
    seen = [
        one
        for one in observations(photographs[:2], ("clean", "grit", "gaussian_noise"))
        if one.kind != "grit" or one.path == photographs[0]
    ]

    def measured(pictures: int = 2) -> list[float | None]:
        treatments = {"any": treatment(Smooth())}
        return measure_gains(seen, ["any"] * 5, treatments, tmp_path / "kept", pictures=pictures, given=given)

    found = measured()
    assert [gain is None for gain in found] == [one.kind == "clean" for one in seen]
    (specimen,) = specimens(photographs[0], ("grit",), 0, given)
    treated = Smooth()(specimen.damaged[None]).detach().clamp(0, 1).mul(255).round() / 255
    expected = psnr(treated, specimen.clean[None]) - psnr(specimen.damaged[None], specimen.clean[None])
    assert found[1] == pytest.approx(float(expected), abs=0.05)

    def refuse(*_):
        raise AssertionError("treated again")

    monkeypatch.setattr(module, "specimens", refuse)
    assert measured() == found
    write(Picture(pixels // 2, "png"), damaged, overwrite=True)
    with pytest.raises(AssertionError, match="treated again"):
        measured()


def test_the_names_of_stored_gains_stay(tmp_path) -> None:
    """What earlier versions stored is found again: this name is one that the first of them gave."""

    class Known:
        fingerprint = "network"

    pixels = bytes(number % 251 for number in range(8 * 8 * 3))
    header = struct.pack("<IHHIIiiHHIIiiII", 54 + len(pixels), 0, 0, 54, 40, 8, 8, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    photograph, folder = tmp_path / "photograph.bmp", tmp_path / "kept"
    photograph.write_bytes(b"BM" + header + pixels)
    folder.mkdir()
    (folder / "9c0f8d9897b9a4e73c55341d.json").write_text("1.25")
    seen = observations([photograph], ("clean", "jpeg"))
    assert measure_gains(seen, ["any"] * 2, {"any": Known()}, folder, pictures=1, seed=3) == [None, 1.25]
