"""The tools a user would otherwise pick, as methods to compare with.

Each is told only what a user could know: the picture, and what kind of damage it has. Noise levels are
estimated from the picture, and blind deconvolution gets one guess of the blur for all. They need the extra
`compare`; BM3D is never a dependency, because its licence excludes commercial use.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.scoring import Method

Floats = NDArray[np.float64]
"""`(H, W, 3)` RGB, white at 1."""

GUESSED_SIGMA = 1.0
"""Sigma in pixels of the Gaussian that stands for any unknown blur. Among 1, 1.5, 2 and 3 it did best for
either tool over GRIDS's six blurs (the first four pictures of bsds500/train, which nothing is reported on), for too
strong a guess costs more than too weak a one."""

_COMPARE = "pip install 'unblemish[compare]'"
_NOISES = frozenset({"gaussian_noise", "gray_gaussian_noise", "poisson_noise"})
_BLURS = frozenset({"gaussian_blur", "motion_blur", "richardson_lucy", "super_resolution", "ringing", "defocus_blur"})


def bm3d(picture: Floats) -> Floats:
    """BM3D (Dabov et al., 2007), for colour or for gray, at the noise level estimated from the picture."""
    tool = _module("bm3d", "pip install bm3d (its licence excludes commercial use)")
    level = estimated_noise(picture)
    if level < 0.5 / 255:  # no more than rounding leaves, and BM3D gives NaN for a flat picture
        return picture
    if (picture == picture[..., :1]).all():  # it gives NaN for chroma that is zero everywhere, too
        return np.repeat(tool.bm3d(picture[..., 0], level)[..., None], 3, axis=2)
    return tool.bm3d_rgb(picture, level)


def non_local_means(picture: Floats) -> Floats:
    """OpenCV's non-local means for colour, its two strengths set to the estimated noise level."""
    strength = max(estimated_noise(picture) * 255, 1.0)
    cv2 = _module("cv2", _COMPARE)
    return cv2.fastNlMeansDenoisingColored(_bytes(picture), None, strength, strength) / 255.0


def median(picture: Floats) -> Floats:
    """Median of each channel over 3 x 3 pixels."""
    return _module("cv2", _COMPARE).medianBlur(_bytes(picture), 3) / 255.0


def unsupervised_wiener(picture: Floats) -> Floats:
    """Wiener-Hunt deconvolution of scikit-image, which finds its own regularisation, for the guessed blur."""
    restoration = _module("skimage.restoration", _COMPARE)

    def restore(channel: Floats) -> Floats:
        return restoration.unsupervised_wiener(channel, guessed_blur(), rng=0)[0]

    return _per_channel(picture, restore)


def richardson_lucy(picture: Floats) -> Floats:
    """Ten iterations of scikit-image's Richardson-Lucy deconvolution for the guessed blur."""
    restoration = _module("skimage.restoration", _COMPARE)
    return _per_channel(picture, lambda channel: restoration.richardson_lucy(channel, guessed_blur(), num_iter=10))


def biharmonic(picture: Floats) -> Floats:
    """Biharmonic inpainting of scikit-image where all three channels are exactly black or exactly white.

    That is where blind strokes and impulses end; it also takes in what was over-exposed in the scene.
    """
    mask = (picture <= 0).all(2) | (picture >= 1).all(2)
    if not mask.any() or mask.all():
        return picture
    return _module("skimage.restoration", _COMPARE).inpaint_biharmonic(picture, mask, channel_axis=-1)


_TOOLS: dict[str, tuple[Callable[[Floats], Floats], str, frozenset[str]]] = {
    "bm3d": (bm3d, "float64", _NOISES),
    "non_local_means": (non_local_means, "uint8", _NOISES | {"jpeg"}),
    "median": (median, "uint8", _NOISES | {"salt_and_pepper", "inpainting", "jpeg"}),
    "unsupervised_wiener": (unsupervised_wiener, "float64", _BLURS),
    "richardson_lucy": (richardson_lucy, "float64", _BLURS),
    "biharmonic": (biharmonic, "float64", frozenset({"inpainting", "salt_and_pepper"})),
}


def classical_names() -> tuple[str, ...]:
    """Names of the tools."""
    return tuple(_TOOLS)


def create_classical(name: str) -> Method:
    """A tool by name, to be scored on the damage it is meant for.

    Raises:
        EvaluationError: The name is not known.
    """
    if name not in _TOOLS:
        raise EvaluationError(f"no classical tool is called {name!r}; choose from: {', '.join(_TOOLS)}")
    tool, precision, applies_to = _TOOLS[name]

    def restore(pictures: Tensor) -> Tensor:
        picture = pictures[0].permute(1, 2, 0).double().numpy()  # (H, W, 3)
        result = np.clip(tool(picture), 0.0, 1.0).astype(np.float32)
        return torch.from_numpy(result.transpose(2, 0, 1).copy())[None]  # (1, 3, H, W)

    return Method(name, restore, precision, applies_to)


def estimated_noise(picture: Floats) -> float:
    """Standard deviation of the noise, white at 1, from the finest wavelets, averaged over the channels."""
    restoration = _module("skimage.restoration", _COMPARE)
    return float(restoration.estimate_sigma(picture, average_sigmas=True, channel_axis=-1))


def guessed_blur() -> Floats:
    """The blur that deconvolution is told: a Gaussian of `GUESSED_SIGMA`, `(9, 9)`, of sum 1."""
    offsets = np.arange(-4, 5)
    line = np.exp(-(offsets**2) / (2 * GUESSED_SIGMA**2))
    return np.outer(line, line) / line.sum() ** 2


def _per_channel(picture: Floats, restore: Callable[[Floats], Floats]) -> Floats:
    """Applies to each channel; the picture is mirrored at its borders, where deconvolution would ring."""
    edge = 24
    padded = np.pad(picture, ((edge, edge), (edge, edge), (0, 0)), mode="symmetric")
    restored = np.stack([restore(padded[..., channel]) for channel in range(3)], axis=2)
    return restored[edge:-edge, edge:-edge]


def _bytes(picture: Floats) -> NDArray[np.uint8]:
    return np.rint(picture * 255).clip(0, 255).astype(np.uint8)


def _module(name: str, remedy: str) -> Any:
    """A module that is not part of the core, imported when it is needed.

    Raises:
        EvaluationError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise EvaluationError(f"{name.partition('.')[0]} is not installed; {remedy}") from error
