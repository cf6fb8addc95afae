"""Deconvolution with a known kernel by the classical tools of scikit-image, and by total variation.

They need the extra `compare`. All treat each colour on its own and are spared invented borders as far as each can be:
the picture is continued before and cropped after, so that comparing them is fair. Results are not clamped.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.deconvolution.nonblind import descend
from unblemish.deconvolution.observation import Observation

Floats = NDArray[np.float64]
"""`(H, W, C)` for pictures, white at 1; `(K, L)`, odd and of sum 1, for kernels."""

_COMPLETIONS, _SMOOTHER = 5, 10
"""Passes that continue a picture as its own Wiener restoration, blurred, says, and how many times smoother that one is
held. On six pictures of bsds500/train with noise of 1 % they are worth 1.0 dB, and the fading before them 1.8."""

_INNER = 10
"""Iterations within a step of total variation. Thirty change the result by .05 dB and take three times as long."""


def wiener(picture: Floats, kernel: Floats, *, weight: float) -> Floats:
    """Wiener deconvolution that prefers smooth pictures (skimage.restoration.wiener, Hunt 1973).

    It knows only pictures that repeat themselves without end. So the picture is continued by twice the kernel's sides,
    first by fading from its end to its beginning, which keeps off the worst ringing, then with what the restoration so
    far has there once it is blurred, on which picture and blur agree.

    Args:
        picture: Blurred.
        kernel: What blurred it.
        weight: Of smoothness, above 0; more noise asks for more.

    Raises:
        DeconvolutionError: scikit-image is not installed.
    """
    restoration, uft = _module("skimage.restoration"), _module("skimage.restoration.uft")
    height, width = picture.shape[:2]

    def restore(channel: Floats) -> Floats:
        scene = _joined(_joined(channel, 2 * kernel.shape[0], 0), 2 * kernel.shape[1], 1)
        transfer = uft.ir2tf(kernel, scene.shape)
        for _ in range(_COMPLETIONS):
            restored = restoration.wiener(scene, kernel, _SMOOTHER * weight, clip=False)
            scene = uft.uirfft2(transfer * uft.urfft2(restored), shape=scene.shape)
            scene[:height, :width] = channel
        return restoration.wiener(scene, kernel, weight, clip=False)[:height, :width]

    return _per_channel(picture, restore)


def richardson_lucy(picture: Floats, kernel: Floats, *, iterations: int) -> Floats:
    """Richardson-Lucy deconvolution (skimage.restoration.richardson_lucy), for Poisson noise and nothing negative.

    It takes what lies beyond for black. Repeated edge pixels, twice the kernel's sides of them, keep that away; the
    outer half fades to it.

    Args:
        picture: Blurred.
        kernel: What blurred it.
        iterations: Each sharpens, and brings up noise.

    Raises:
        DeconvolutionError: scikit-image is not installed.
    """
    restoration = _module("skimage.restoration")
    (down, right), (height, width) = (2 * side for side in kernel.shape), picture.shape[:2]
    fading = _fading(height, down)[:, None] * _fading(width, right)

    def restore(channel: Floats) -> Floats:
        scene = fading * np.pad(channel, ((down, down), (right, right)), mode="edge")
        restored = restoration.richardson_lucy(scene, kernel, num_iter=iterations, clip=False)
        return restored[down : down + height, right : right + width]

    return _per_channel(picture, restore)


def total_variation(
    picture: Floats,
    kernel: Floats,
    *,
    weight: float,
    iterations: int,
    on_progress: Callable[[float], None] | None = None,
) -> Floats:
    """Least squares and total variation, for pictures made of even areas.

    The iterations of `nonblind.descend`, where the prior's step is the proximal one of Eq. 5 of the Golf Optimizer:
    total variation has no gradient where a picture is even. It is done by skimage.restoration.denoise_tv_chambolle.

    Args:
        picture: Blurred.
        kernel: What blurred it.
        weight: Of the total variation, above 0; more noise asks for more.
        iterations: From 1.
        on_progress: Told the finished share, 0..1.

    Raises:
        DeconvolutionError: scikit-image is not installed.
    """
    restoration = _module("skimage.restoration")
    done = 0

    def restore(channel: Floats) -> Floats:
        nonlocal done
        observation = Observation(torch.from_numpy(channel.copy())[None, None], torch.from_numpy(kernel))
        step, finished = 1.0 / observation.lipschitz, done

        def advance(scene: Tensor, slope: Tensor) -> Tensor:
            lower = (scene - step * slope)[0, 0].numpy()
            # The tolerance is one that is never met: results must not hang on the size of the picture.
            even = restoration.denoise_tv_chambolle(lower, weight=step * weight, eps=0.0, max_num_iter=_INNER)
            return torch.from_numpy(even)[None, None]  # (1, 1, H + K - 1, W + L - 1)

        def share(of_channel: float) -> None:
            if on_progress:
                on_progress((finished + of_channel) / picture.shape[2])

        done += 1
        found = descend(observation, advance, iterations=iterations, momentum=True, on_progress=share)
        return found.picture[0, 0].numpy()

    return _per_channel(picture, restore)


def _per_channel(picture: Floats, restore: Callable[[Floats], Floats]) -> Floats:
    return np.stack([restore(picture[..., channel]) for channel in range(picture.shape[2])], axis=2)


def _joined(plane: Floats, gap: int, axis: int) -> Floats:
    """A plane that repeats itself smoothly along an axis: after its end, `gap` samples fade to its beginning."""
    share = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, gap + 1) / (gap + 1))  # (gap,)
    share = np.expand_dims(share, 1 - axis)
    first, last = plane.take([0], axis), plane.take([-1], axis)
    return np.concatenate([plane, last + share * (first - last)], axis)


def _fading(length: int, margin: int) -> Floats:
    """Factors `(length + 2 * margin,)`: 1 inside, falling to 0 over the outer half of either margin."""
    place = np.arange(1, length + 2 * margin + 1)
    outside = np.minimum(place, place[::-1]) / (margin // 2 + 1)
    return 0.5 - 0.5 * np.cos(np.pi * outside.clip(max=1.0))


def _module(name: str) -> Any:
    """A module of scikit-image, imported when it is needed.

    Raises:
        DeconvolutionError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise DeconvolutionError(
            "this way of deconvolution needs scikit-image; pip install 'unblemish[compare]', or use a learned prior"
        ) from error
