from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.examination_plot import save_plot
from unblemish.examination.examination import Examination, Gain, Region, Verdict
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.pictures.picture import Picture

SIGNATURES = {
    "clean": GeneralisedGaussian(0.8, 0.9),
    "blur": GeneralisedGaussian(0.7, 0.6),
    "noise": GeneralisedGaussian(1.3, 1.8),
}


@pytest.fixture
def found() -> Examination:
    return Examination(
        verdict=Verdict.KNOWN,
        group="noise",
        probabilities={"clean": 0.02, "blur": 0.03, "noise": 0.9, "unknown": 0.05},
        distances={"clean": 4.2, "blur": 3.9, "noise": 2.1},
        degradations={"gaussian_noise": 0.9, "poisson_noise": 0.1},
        signature=GeneralisedGaussian(1.2, 1.7),
        gain=Gain(8.1, 6.9, 9.4, 0.9),
        regions=((Region(0, 0, 64, 0.05, "clean", 0.05), Region(0, 32, 64, 0.95, "noise", 0.95)),),
        rule="statistics",
        seconds=0.4,
    )


@pytest.fixture
def picture(make_scene: Callable[..., np.ndarray]) -> Picture:
    return Picture(make_scene(0), "png")


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def has(pixels: np.ndarray, colour: str) -> bool:
    """Whether a colour stands somewhere in the figure."""
    return bool((pixels == [int(colour[k : k + 2], 16) for k in (1, 3, 5)]).all(2).any())


def test_a_figure_in_the_colours_of_its_findings(tmp_path: Path, found: Examination, picture: Picture) -> None:
    path = tmp_path / "made" / "a.png"
    save_plot(picture, found, SIGNATURES, path, "photos/a.png")
    pixels = drawn(path)
    assert pixels.shape == (1050, 1800, 3)
    assert has(pixels, "#3f9b56")  # clean
    assert has(pixels, "#d1495b")  # the first group
    assert not has(pixels, "#e08e1b")  # there is no third
    assert [entry.name for entry in path.parent.iterdir()] == ["a.png"]


def test_damage_is_laid_over_the_picture(tmp_path: Path, found: Examination, picture: Picture) -> None:
    left, right = found.regions[0]
    for name, damage in (("damaged", 0.95), ("sound", 0.0)):
        regions = ((replace(left, damage=0.0), replace(right, damage=damage)),)
        save_plot(picture, replace(found, regions=regions), SIGNATURES, tmp_path / f"{name}.png", "a")
    damaged, plain = drawn(tmp_path / "damaged.png"), drawn(tmp_path / "sound.png")
    rows, columns = np.nonzero((damaged != plain).any(2))
    assert len(rows) > 10_000
    assert columns.max() < 0.47 * damaged.shape[1]  # nothing but the picture at the left
    assert columns.min() > 0.15 * damaged.shape[1]  # of which the left third is sound


@pytest.mark.parametrize(
    ("verdict", "pixels"),
    [
        (Verdict.CLEAN, np.zeros((1, 1, 1), np.uint16)),
        (Verdict.KNOWN, np.full((40, 4000, 3), 1.5, np.float32)),
        (Verdict.UNKNOWN, np.full((90, 20, 3), 255, np.uint8)),
    ],
    ids=["one pixel", "wide", "tall"],
)
def test_every_verdict_and_shape(tmp_path: Path, found: Examination, verdict: Verdict, pixels: np.ndarray) -> None:
    path = tmp_path / "a.png"
    save_plot(Picture(pixels, "png"), replace(found, verdict=verdict), SIGNATURES, path, "a")
    assert drawn(path).shape == (1050, 1800, 3)


def test_names_are_drawn_as_they_are(tmp_path: Path, found: Examination, picture: Picture) -> None:
    odd = replace(
        found,
        group="$\\nosuch$",
        probabilities={"clean": 0.1, "$\\nosuch$": 0.9, "unknown": 0.0},
        distances={"clean": 4.2, "$\\nosuch$": 2.1},
        regions=((Region(0, 0, 64, 0.9, "$\\nosuch$", 0.9),),),
    )
    signatures = {"clean": SIGNATURES["clean"], "$\\nosuch$": SIGNATURES["noise"]}
    save_plot(picture, odd, signatures, tmp_path / "a.png", f"写真 $x_{{$ {'long' * 50}.png")
    assert drawn(tmp_path / "a.png").shape == (1050, 1800, 3)


def test_only_png(tmp_path: Path, found: Examination, picture: Picture) -> None:
    with pytest.raises(EvaluationError, match=r"written as \.png"):
        save_plot(picture, found, SIGNATURES, tmp_path / "a.pdf", "a")
    assert not os.listdir(tmp_path)
