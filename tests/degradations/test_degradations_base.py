from __future__ import annotations

import pytest
import torch

from unblemish.degradations.base import ParameterSpec, choice
from unblemish.degradations.compression import Jpeg
from unblemish.degradations.noise import GaussianNoise

CLEAN = torch.full((2, 3, 8, 8), 0.5)


def test_fixed_fills_defaults_and_takes_values() -> None:
    parameters = Jpeg().fixed(3, quality=35, subsampling="4:4:4")
    assert parameters["quality"].tolist() == [35.0] * 3
    assert parameters["subsampling"].tolist() == [2.0] * 3
    assert Jpeg().fixed(1)["quality"].tolist() == [20.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strength": 3}, "jpeg has no parameter strength; its parameters are: quality, subsampling"),
        ({"quality": 0}, "jpeg: quality=0 is not allowed; give a whole number from 1 to 100"),
        ({"quality": 20.5}, "quality=20.5 is not allowed"),
        ({"quality": float("inf")}, "quality=inf is not allowed"),
        ({"quality": float("nan")}, "quality=nan is not allowed"),
        ({"subsampling": "4:1:1"}, "subsampling=4:1:1 is not allowed; give one of: 4:2:0, 4:2:2, 4:4:4"),
    ],
)
def test_fixed_refuses(values: dict[str, float | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Jpeg().fixed(1, **values)


def test_apply_refuses_pictures_and_parameters_that_break_the_contract() -> None:
    noise, generator = GaussianNoise(), torch.Generator()
    good = noise.fixed(2)
    with pytest.raises(ValueError, match=r"wants \(B, 3, H, W\) float32"):
        noise.apply(CLEAN[:, :1], good, generator)
    with pytest.raises(ValueError, match="float64"):
        noise.apply(CLEAN.double(), good, generator)
    with pytest.raises(ValueError, match=r"sigma as a tensor of shape \(2,\)"):
        noise.apply(CLEAN, noise.fixed(3), generator)
    with pytest.raises(ValueError, match="wants the parameter sigma"):
        noise.apply(CLEAN, {}, generator)
    for bad in (-1.0, float("nan"), 300.0):
        with pytest.raises(ValueError, match="is not allowed; give a number from 0 to 255"):
            noise.apply(CLEAN, {"sigma": torch.tensor([10.0, bad])}, generator)


def test_integers_are_drawn_evenly_including_both_ends() -> None:
    class Coin(GaussianNoise):
        specs = {"sigma": ParameterSpec(2, 1, 3, "", "", integer=True)}  # noqa: RUF012

    values = Coin().sample(6000, torch.Generator().manual_seed(0))["sigma"]
    counts = [int((values == k).sum()) for k in (1, 2, 3)]
    assert sum(counts) == 6000
    # 5 standard deviations of a binomial count with n = 6000 and p = 1/3
    assert all(abs(count - 2000) < 5 * 36.5 for count in counts)


def test_choice_reads_words_and_numbers() -> None:
    spec = choice(("near", "far"), "distance")
    assert spec.value("far") == 1.0
    assert spec.value(0) == 0.0
    with pytest.raises(ValueError, match="one of: near, far"):
        spec.value("away")
    with pytest.raises(ValueError, match="one of"):
        spec.value(2)
