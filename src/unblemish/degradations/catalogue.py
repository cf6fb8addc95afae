"""The degradations by name. Adding one is one line."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

from unblemish.degradations.base import Degradation
from unblemish.degradations.blend_factors import FACTORS, BlendFactor
from unblemish.degradations.blends import SCENES, SCORES, Blend, blend_name
from unblemish.degradations.blur import DefocusBlur, GaussianBlur, MotionBlur
from unblemish.degradations.camera_shake import CameraShake, RotatingShake
from unblemish.degradations.compression import Jpeg
from unblemish.degradations.darkness import Darkness
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.inpainting import Inpainting
from unblemish.degradations.noise import GaussianNoise, GrayGaussianNoise, PoissonNoise, SaltAndPepper
from unblemish.degradations.reproduction import Halftone, Interlacing
from unblemish.degradations.resampling import SuperResolution
from unblemish.degradations.richardson_lucy import RichardsonLucy
from unblemish.degradations.ringing import Ringing
from unblemish.degradations.weather import Haze, RainStreaks

_OPERATORS: dict[str, type[Degradation]] = {
    "gaussian_blur": GaussianBlur,
    "motion_blur": MotionBlur,
    "richardson_lucy": RichardsonLucy,
    "super_resolution": SuperResolution,
    "ringing": Ringing,
    "defocus_blur": DefocusBlur,
    "jpeg": Jpeg,
    "poisson_noise": PoissonNoise,
    "inpainting": Inpainting,
    "gaussian_noise": GaussianNoise,
    "salt_and_pepper": SaltAndPepper,
    "haze": Haze,
    "darkness": Darkness,
    "rain": RainStreaks,
    "gray_gaussian_noise": GrayGaussianNoise,
    "camera_shake": CameraShake,
    "rotating_shake": RotatingShake,
    "halftone": Halftone,
    "interlacing": Interlacing,
}

_BLENDS: dict[str, Callable[[], Degradation]] = {
    blend_name(severity, scene): partial(Blend, severity, scene) for scene in SCENES for severity in SCORES
}

_FACTORS: dict[str, Callable[[], Degradation]] = {name: partial(BlendFactor, name) for name in FACTORS}

_CATALOGUE: dict[str, Callable[[], Degradation]] = {**_OPERATORS, **_BLENDS, **_FACTORS}

GRIDS_ELEVEN: tuple[str, ...] = (
    "gaussian_blur",
    "motion_blur",
    "richardson_lucy",
    "super_resolution",
    "ringing",
    "defocus_blur",
    "jpeg",
    "poisson_noise",
    "inpainting",
    "gaussian_noise",
    "salt_and_pepper",
)
"""The eleven degradations of GRIDS, in the order of its Table 1."""


def names() -> tuple[str, ...]:
    """Every known name, in the catalogue's order: the operators, then the blends, then the blends' factors."""
    return tuple(_CATALOGUE)


def operators() -> tuple[str, ...]:
    """The names of those that are not made of others, in the catalogue's order."""
    return tuple(_OPERATORS)


def create(name: str) -> Degradation:
    """The degradation of that name, with its published settings.

    Raises:
        DegradationError: The name is not known.
    """
    if name not in _CATALOGUE:
        close = get_close_matches(name, _CATALOGUE, n=1)
        hint = f"did you mean {close[0]}? Known are" if close else "known are"
        raise DegradationError(f"no degradation is called {name!r}; {hint}: {', '.join(_CATALOGUE)}")
    return _CATALOGUE[name]()
