"""Pictures deconvolved with a point spread function that is known, by a classical method or with a learned prior."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unblemish.deconvolution import classical
from unblemish.deconvolution.nonblind import deconvolve
from unblemish.deconvolution.prior import learned_prior
from unblemish.networks.base import Network
from unblemish.networks.golf import GolfOptimizer
from unblemish.pictures.picture import Picture, from_float, to_float
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.footprint import bytes_per_pixel
from unblemish.restoration.placement import available_memory, choose_device

Floats = classical.Floats


@dataclass(frozen=True, slots=True)
class Method:
    """What a method of deconvolution can be told, and what it takes.

    Attributes:
        weight: Of smoothness or of the prior where none is given, for noise of about 1 % of white; None where the
            method has none.
        iterations: Where none are given; None where the method has none.
        bytes_per_pixel: Peak memory for a pixel of the scene, that is, of the picture and the margin it gets, with the
            picture itself in floats; a network's own comes on top.
    """

    weight: float | None
    iterations: int | None
    bytes_per_pixel: int


METHODS = {
    "tv": Method(weight=0.001, iterations=30, bytes_per_pixel=280),
    "wiener": Method(weight=0.01, iterations=None, bytes_per_pixel=160),
    "richardson_lucy": Method(weight=None, iterations=20, bytes_per_pixel=180),
    "prior": Method(weight=1.0, iterations=50, bytes_per_pixel=220),
}
"""By name. "tv" is the default wherever one is needed: the best of those that need no network."""


class Deconvolver:
    """Deconvolves whole pictures.

    Args:
        kernel: `(K, L)`, odd sides, of sum 1, as `degradations.given_kernels.read_kernels` returns it.
        method: A key of `METHODS`; "prior" takes the corrector of a Golf Optimizer for its prior's gradient.
        weight: Of smoothness or of the prior, above 0: what noise asks for; None takes the method's own.
        iterations: From 1; None takes the method's own.
        network: For "prior": a Golf Optimizer, the name of one in the bundle, or None for the bundle's first.
        bundle: For "prior": a bundle, or where it is, see `Bundle.load`.
        device: For "prior": "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UserError: Anything of this is unknown, not there, or does not fit together.
    """

    def __init__(
        self,
        kernel: Tensor,
        *,
        method: str = "tv",
        weight: float | None = None,
        iterations: int | None = None,
        network: str | Network | None = None,
        bundle: Bundle | str | Path | None = None,
        device: str = "auto",
    ) -> None:
        if method not in METHODS:
            raise RestorationError(f"there is no method '{method}': choose {', '.join(METHODS)}")
        self.method, self._kernel = method, kernel
        self._costs = METHODS[method].bytes_per_pixel
        given, known = {"weight": weight, "iterations": iterations}, METHODS[method]
        self.settings = _settings(method, given, {"weight": known.weight, "iterations": known.iterations})
        self.network: GolfOptimizer | None = None
        self.device = torch.device("cpu")
        if method == "prior":
            self.device = choose_device(device)
            found = golf_optimizer(network, bundle)
            self._costs += int(bytes_per_pixel(found.corrector, torch.float32))
            self.network = found.to(self.device)
        elif network is not None or bundle is not None:
            raise RestorationError(
                f"the method {method} uses no network: leave network and bundle out, or choose prior"
            )

    def memory_need(self, height: int, width: int) -> int:
        """Bytes that a picture of this size takes at most, about; pictures are deconvolved whole."""
        rows, columns = self._kernel.shape
        return self._costs * (height + 4 * rows) * (width + 4 * columns)  # the widest margin of all methods

    def restore(self, picture: Picture, on_progress: Callable[[float], None] | None = None) -> Picture:
        """Deconvolves a picture.

        Alpha is left as it is. Float samples outside [0, 1], infinite ones and NaN are clamped before (NaN to 0), and
        what was clamped away is added to the result, as where pictures are restored.

        Args:
            picture: Of any size and sample type.
            on_progress: Told the finished share, 0..1, where the method has steps.

        Returns:
            The picture in its own sample type.

        Raises:
            UserError: Memory does not suffice, or a package is missing that the method needs.
        """
        self._check_memory(picture.height, picture.width)
        values = to_float(picture.pixels)  # (H, W, C)
        base = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
        found = self.deconvolve(base.astype(np.float64), on_progress)
        sharp: NDArray[np.float32] = found.clip(0.0, 1.0).astype(np.float32)
        if picture.pixels.dtype == np.float32:
            sharp += values - base
        return replace(picture, pixels=from_float(sharp, picture.pixels.dtype))

    def deconvolve(self, picture: Floats, on_progress: Callable[[float], None] | None = None) -> Floats:
        """`restore` for samples: `(H, W, C)` in [0, 1], C = 1 or 3, to the same shape, not clamped."""
        kernel = self._kernel.double().numpy()
        match self.method:
            case "wiener":
                return classical.wiener(picture, kernel, **self.settings)
            case "richardson_lucy":
                return classical.richardson_lucy(picture, kernel, **self.settings)
            case "tv":
                return classical.total_variation(picture, kernel, **self.settings, on_progress=on_progress)
        return self._with_prior(picture, on_progress)

    def _with_prior(self, picture: Floats, on_progress: Callable[[float], None] | None) -> Floats:
        """Gray runs as equal colour channels, whose mean is the result."""
        assert self.network is not None
        channels = picture.shape[2]
        colours = np.repeat(picture, 3 // channels, axis=2).transpose(2, 0, 1)  # (3, H, W)
        y = torch.from_numpy(np.ascontiguousarray(colours, dtype=np.float32))[None].to(self.device)  # (1, 3, H, W)
        prior = learned_prior(self.network)
        found = deconvolve(y, self._kernel, prior, **self.settings, on_progress=on_progress)
        sharp = found.picture[0].permute(1, 2, 0).double().cpu().numpy()  # (H, W, 3)
        return sharp if channels == 3 else sharp.mean(axis=2, keepdims=True)

    def _check_memory(self, height: int, width: int) -> None:
        need = self.memory_need(height, width)
        free = torch.cuda.mem_get_info(self.device)[0] if self.device.type == "cuda" else available_memory()
        if need > free:
            raise RestorationError(
                f"{width} x {height} pixels take about {need / 1e9:.1f} GB of memory at once with the method "
                f"{self.method}, and {free / 1e9:.1f} GB are free: crop the picture, or cut it into parts that overlap "
                "by a few sides of the kernel"
            )


def golf_optimizer(network: str | Network | None = None, bundle: Bundle | str | Path | None = None) -> GolfOptimizer:
    """A Golf Optimizer, whose corrector gives a prior.

    Args:
        network: Itself, its name in the bundle, or None for the first that the bundle has.
        bundle: See `Bundle.load`.

    Raises:
        RestorationError: There is none.
        BundleError: The bundle is none, or has no network of that name.
    """
    if isinstance(network, Network):
        found, lacking = network, "this is no Golf Optimizer, whose corrector would give a prior: give one"
    else:
        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        names = loaded.names if network is None else (network,)
        built = (loaded.network(name) for name in names)
        found = next((one for one in built if isinstance(one, GolfOptimizer)), None)
        what = "holds no Golf Optimizer" if network is None else f"has in '{network}' no Golf Optimizer"
        lacking = (
            f"{loaded.path.name} {what}, whose corrector would give a prior: name a bundle that does with --bundle "
            "(weights of a training of the network golf will do), or choose another method"
        )
    if isinstance(found, GolfOptimizer):
        return found
    raise RestorationError(lacking)


def _settings(method: str, given: Mapping[str, float | None], defaults: Mapping[str, float | None]) -> dict[str, Any]:
    """What a method is told.

    Raises:
        RestorationError: It has no such setting, or the value is not possible.
    """
    for name, value in given.items():
        if value is not None and defaults[name] is None:
            raise RestorationError(f"the method {method} knows no {name}: leave it out, or choose another method")
        if value is not None and not 0 < value < math.inf:
            raise RestorationError(f"{name} {value:g} is not possible: give a number above 0")
    chosen = {name: default if given[name] is None else given[name] for name, default in defaults.items()}
    return {name: value for name, value in chosen.items() if value is not None}
