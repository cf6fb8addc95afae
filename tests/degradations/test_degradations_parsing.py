from __future__ import annotations

import pytest

from unblemish.degradations.blur import GaussianBlur
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.parsing import parse, parse_chain


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("haze", "haze", {}),
        ("gaussian_noise:sigma=50", "gaussian_noise", {"sigma": 50.0}),
        (" inpainting : count = 6 , thickness=9 ", "inpainting", {"count": 6.0, "thickness": 9.0}),
        ("jpeg:quality=20,subsampling=4:4:4", "jpeg", {"quality": 20.0, "subsampling": 2.0}),
        ("haze:depth=ramp,beta=.2", "haze", {"depth": 2.0, "beta": 0.2}),
        ("moderate_blend:1.sigma=2,3.quality=30", "moderate_blend", {"1.sigma": 2.0, "3.quality": 30.0}),
        ("mild_blend_with_rain:1.angle=-20", "mild_blend_with_rain", {"1.angle": -20.0}),
    ],
)
def test_reads(text: str, name: str, values: dict[str, float]) -> None:
    degradation, given = parse(text)
    assert degradation.name == name
    assert given == values
    assert degradation.fixed(1, **given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jepg:quality=3", "did you mean jpeg"),
        ("jpeg:quality", "cannot read 'quality' in 'jpeg:quality'; write jpeg:PARAMETER=VALUE"),
        ("jpeg:", "write jpeg:PARAMETER=VALUE with a parameter of: quality, subsampling"),
        ("jpeg:quality=20,", "cannot read ''"),
        ("jpeg:strength=3", "jpeg has no parameter 'strength'; its parameters are: quality, subsampling"),
        ("jpeg:quality=high", "quality=high is not allowed; give a whole number from 1 to 100"),
        ("jpeg:quality=", "quality= is not allowed"),
        ("jpeg:quality=20,quality=30", "gives quality twice"),
        ("gaussian_noise:sigma=-1", "sigma=-1 is not allowed; give a number from 0 to 255"),
        ("haze:depth=deep", "give one of: radial, constant, ramp"),
        ("mild_blend:sigma=2", "mild_blend has no parameter 'sigma'; its parameters are: 1.sigma, 2.sigma, 3.quality"),
        ("mild_blend:1.sigma=-1", "mild_blend: 1.sigma=-1 is not allowed; give a number from 0 to 100"),
        ("mild_blend_with_fog", "did you mean mild_blend"),
        ("", "no degradation is called ''"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(DegradationError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_become_a_chain_with_its_values() -> None:
    chain, values = parse_chain(["gaussian_noise:sigma=50", "haze", "jpeg:quality=20"])
    assert [member.name for member in chain.members] == ["gaussian_noise", "haze", "jpeg"]
    assert values == {"1.sigma": 50.0, "3.quality": 20.0}
    parameters = chain.fixed(2, **values)
    assert parameters["3.quality"].tolist() == [20.0, 20.0]
    assert parameters["2.beta"].tolist() == pytest.approx([0.08, 0.08])


def test_what_comes_before_shifts_the_places() -> None:
    chain, values = parse_chain(["jpeg:quality=20"], [GaussianBlur()])
    assert [member.name for member in chain.members] == ["gaussian_blur", "jpeg"]
    assert values == {"2.quality": 20.0}
    assert parse_chain([], [GaussianBlur()])[0].name == "gaussian_blur"


def test_nothing_is_refused() -> None:
    with pytest.raises(DegradationError, match="at least one"):
        parse_chain([])
