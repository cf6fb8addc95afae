"""Tones from a small copy of the picture: against their formulas, and along the path that pictures take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from unblemish.examination.specimens import Specimen
from unblemish.networks.base import Network
from unblemish.pictures.picture import Picture
from unblemish.pictures.writing import write
from unblemish.restoration import overview_choice
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkCard
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.overview import EPSILON, RADIUS, Tones, shrunk
from unblemish.restoration.overview_choice import SIDE, choose_overview
from unblemish.restoration.treatment import Treatment, treatment_of


class Uneven(Network):
    """Adds to small pictures what it is told, and to large ones the same and columns of light."""

    receptive_field = 0

    def __init__(self, light: float = 0.2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(light))

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        light = torch.linspace(0, 2, x.shape[3]).sin() * (x.shape[3] > 64)
        return x + self.weight.float() + 0.15 * light


def draw(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Smooth hills under fine structure, within 0.1 and 0.6."""
    rows, columns = np.mgrid[:height, :width] / 23
    hills = 0.3 + 0.1 * np.sin(rows)[..., None] * np.cos(columns[..., None] + np.arange(channels))
    return (hills + np.random.default_rng(0).uniform(-0.05, 0.15, (height, width, channels))).astype(np.float32)


def treatment(overview: int | None = 48, **options: object) -> Treatment:
    return Treatment(Uneven().eval(), device="cpu", precision="float32", overview=overview, **options)  # pyright: ignore


def test_shrinking_takes_means_of_even_areas() -> None:
    pixels = draw(60, 90)
    areas = pixels.reshape(20, 3, 30, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk(pixels, 30), areas, atol=1e-6)
    assert shrunk(draw(7, 1000), 64).shape == (1, 64, 3)
    assert shrunk(np.full((70, 50, 1), 51, np.uint8), 64)[0, 0, 0] == pytest.approx(0.2)


def test_shrinking_bounds_what_is_no_colour() -> None:
    pixels = np.full((64, 64, 1), 0.5, np.float32)
    pixels[0, :4, 0] = np.nan, np.inf, -np.inf, 7
    assert shrunk(pixels, 32)[0, :2, 0] == pytest.approx([(0 + 1 + 0.5 + 0.5) / 4, (0 + 1 + 0.5 + 0.5) / 4])


def test_means_and_deviations_are_those_of_the_copy() -> None:
    """At one place, whose squares are whole, before coefficients are smoothed."""
    guide, wanted = draw(13, 17, 1), draw(13, 17, 1)[::-1] * 0.7

    def coefficients(row: int, column: int) -> tuple[float, float]:
        near = np.s_[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1, 0]
        i, p = guide[near].astype(np.float64), wanted[near].astype(np.float64)
        a = np.sqrt((p.var() + EPSILON) / (i.var() + EPSILON))
        return a, p.mean() - a * i.mean()

    around = [coefficients(row, column) for row in range(4, 9) for column in range(6, 11)]
    tones = Tones.between(guide, wanted)
    assert tones.slope[6, 8, 0] == pytest.approx(np.mean([a for a, _ in around]), rel=1e-4)
    assert tones.offset[6, 8, 0] == pytest.approx(np.mean([b for _, b in around]), rel=1e-4)


def test_rows_change_alike_however_they_are_cut() -> None:
    fine = draw(101, 67)
    tones = Tones.between(shrunk(fine, 20), np.sqrt(shrunk(fine, 20))).widened(67)
    whole = tones.change(fine, 0, 101)
    parts = [tones.change(fine[first : first + 13], first, 101) for first in range(0, 101, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert abs(whole.mean() - np.sqrt(fine).mean()) < 0.01


def test_tones_are_those_of_the_copy() -> None:
    pixels = draw(120, 200)
    plain, toned = (treatment(side).restore(Picture(pixels, "tiff")).pixels for side in (None, 48))
    wanted = pixels + 0.2
    assert np.abs(plain - wanted).max() > 0.14
    assert np.abs(toned - wanted).mean() < 0.01
    details = toned - wanted - (toned - wanted).mean(axis=(0, 1))
    assert details.std() < 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_sample_types_agree(dtype: type) -> None:
    top = np.iinfo(dtype).max
    pixels = np.rint(draw(100, 130) * top).astype(dtype)
    expected = treatment().restore(Picture((pixels / top).astype(np.float32), "tiff")).pixels * top
    restored = treatment().restore(Picture(pixels, "tiff")).pixels
    assert restored.dtype == dtype
    assert np.abs(restored - expected).max() <= 0.5 + 4e-5 * top


def test_tiles_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Picture(draw(150, 140), "tiff")

    class Local(Uneven):
        def transform(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.5 + self.weight.float()

    whole = Treatment(Local().eval(), device="cpu", precision="float32", overview=48)
    expected = whole.restore(source).pixels
    monkeypatch.setattr("unblemish.restoration.treatment.choose_tile", lambda *arguments: 60)
    assert whole.describe(150, 140).tiles > 1
    np.testing.assert_allclose(whole.restore(source).pixels, expected, atol=1e-5)


def test_gray_and_half_strength_and_what_is_no_colour() -> None:
    gray = Picture(draw(100, 90, 1), "tiff")
    full = treatment().restore(gray).pixels
    assert full.shape == (100, 90, 1)
    half = treatment(strength=0.5).restore(gray).pixels
    np.testing.assert_allclose(half, (gray.pixels + full) / 2, atol=1e-6)
    strange = gray.pixels.copy()
    strange[0, 0], strange[0, 1], strange[1, 0] = 1.5, -0.5, np.nan
    restored = treatment().restore(Picture(strange, "tiff")).pixels
    assert restored[0, 0] > 1.2
    assert restored[0, 1] < 0
    assert np.isnan(restored).sum() == 1


def test_small_pictures_are_their_own_overview() -> None:
    source = Picture(draw(48, 40), "tiff")
    expected = treatment(None).restore(source).pixels
    np.testing.assert_array_equal(treatment(48).restore(source).pixels, expected)
    assert treatment(48).describe(48, 40).overview == 48


def test_networks_that_enlarge_have_none(convolutions: type[Network]) -> None:
    with pytest.raises(RestorationError, match="enlarges pictures: leave the overview out"):
        Treatment(convolutions(scale=2), device="cpu", overview=64)  # pyright: ignore[reportCallIssue]


def test_results_are_told_apart() -> None:
    assert len({treatment(side).fingerprint for side in (None, 48, 64)}) == 3


@pytest.mark.parametrize(("lights", "chosen"), [(0.2, SIDE), (0.0, None)])
def test_what_restores_better_is_chosen(
    lights: float, chosen: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy has less detail: where its tones are no better, it only costs some."""

    class Treated(Uneven):
        def transform(self, x: torch.Tensor) -> torch.Tensor:
            return super().transform(x) if lights else x + self.weight.float()

    def shown(path: Path, *arguments: object) -> list[Specimen]:
        clean = torch.from_numpy(draw(160, 200) + 0.2).permute(2, 0, 1)
        return [Specimen("haze", clean, clean - 0.2)]

    monkeypatch.setattr(overview_choice, "specimens", shown)
    write(Picture(np.zeros((160, 200, 3), np.uint8), "png"), tmp_path / "a.png")
    assert choose_overview(Treated().eval(), [tmp_path / "a.png"], ["haze"]) == chosen
    assert choose_overview(Treated().eval(), [], ["haze"]) is None


def test_a_bundle_keeps_it(convolutions: type[Network], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unblemish.networks import catalogue

    monkeypatch.setattr(catalogue, "create", lambda name, options=None: convolutions())
    terms = {"licence": "Apache-2.0", "training_set": "random numbers", "recipe": "drawn at random"}
    card = NetworkCard(name="mix", purpose="haze", architecture="convolutions", overview=40, **terms)
    bundle = Bundle.write(tmp_path / "bundle", [(card, convolutions().state_dict())])
    assert treatment_of(bundle, "mix", device="cpu").overview == 40
