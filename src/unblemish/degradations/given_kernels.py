"""Blur by point spread functions from files, such as the camera shakes that Levin et al. measured.

The files are those of any source; Levin, Weiss, Durand and Freeman, "Understanding and Evaluating Blind Deconvolution
Algorithms" (CVPR 2009), publish theirs for MATLAB, each with a blurred picture and under the name f.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.exposure import LIGHT, NOISE, exposed
from unblemish.degradations.filter_flow import convolved

_PICTURES, _NUMPY, _MATLAB = (".png", ".tif", ".tiff"), ".npy", ".mat"
_SUFFIXES = (*_PICTURES, _NUMPY, _MATLAB)
_LARGEST = 201
"""Pixels along a side, at most."""


def read_kernels(path: Path) -> tuple[Tensor, ...]:
    """Reads one point spread function, or all that lie in a folder, in the order of their names.

    Values are taken as they stand, without any transfer function. A side of even length gets a row or column of zeros
    at its end; so the centre stays pixel length // 2, as in MATLAB's `conv2(..., "same")`.

    Args:
        path: A gray PNG or TIFF of any depth, a NumPy array (`.npy`) or a MATLAB file (`.mat`; the variable f, or the
            only one), or a folder of these. Hidden files, folders below and other files of a folder are left out.

    Returns:
        Tensors `(H, W)`, float32, H and W odd and at most 201; each sums to 1.

    Raises:
        DegradationError: There is no such file, or one is no point spread function; the message says what to do.
    """
    return tuple(_checked(_values(file), file) for file in _files(path))


class GivenKernels(Degradation):
    """Blur by one of several given point spread functions, and noise.

    A kernel is the picture of a point of light: kernels are convolved with pictures, that is, mirrored where they
    weight the pixels around one. Not in the catalogue, as it needs files.

    Args:
        kernels: As `read_kernels` returns them, at least one.
    """

    name = "given_kernels"
    title = "Given kernels"

    def __init__(self, kernels: Sequence[Tensor]) -> None:
        if not kernels:
            raise ValueError("given_kernels needs at least one kernel")
        side = max(max(kernel.shape) for kernel in kernels)
        self._kernels = torch.stack([_widened(kernel, side) for kernel in kernels])  # (N, K, K)
        last = len(kernels) - 1
        self.specs: Mapping[str, ParameterSpec] = {
            "kernel": ParameterSpec(0, 0, last, "number", "place among the kernels", integer=True, maximum=last),
            "noise": NOISE,
            "light": LIGHT,
        }

    @classmethod
    def of(cls, path: Path) -> GivenKernels:
        """The kernels of a file or folder, see `read_kernels`."""
        return cls(read_kernels(path))

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        kernels = self._kernels[parameters["kernel"].long()]  # (B, K, K)
        return exposed(clean, parameters, generator, lambda light: convolved(light, kernels))


def _widened(kernel: Tensor, side: int) -> Tensor:
    """`(H, W)` of odd sides to `(side, side)`, zeros all around."""
    below, beside = ((side - length) // 2 for length in kernel.shape)
    return nn.functional.pad(kernel, (beside, beside, below, below))


def _files(path: Path) -> list[Path]:
    """The file itself, or those of the folder."""
    kinds = ", ".join(_SUFFIXES)
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix.lower() in _SUFFIXES and file.name[0] != "."]
        if not files:
            raise DegradationError(f"{path}: holds no kernel; give a folder with files of the kinds {kinds}")
        return files
    if not path.is_file():
        raise DegradationError(f"{path}: no such file or folder; give one of point spread functions")
    if path.suffix.lower() not in _SUFFIXES:
        raise DegradationError(f"{path}: no file of a kernel; give one of the kinds {kinds}")
    return [path]


def _values(path: Path) -> NDArray[np.generic]:
    """What a file holds."""
    suffix = path.suffix.lower()
    try:
        if suffix == _NUMPY:
            return np.load(path, allow_pickle=False)
        return _matlab(path) if suffix == _MATLAB else _gray(path)
    except DegradationError:
        raise
    except Exception as error:  # three libraries, each with errors of its own for broken files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DegradationError(f"{path}: cannot be read ({reason}); save the kernel anew, such as in a PNG") from error


def _gray(path: Path) -> NDArray[np.generic]:
    """The values of a picture whose colours, if it has any, are equal; alpha is left out."""
    with Image.open(path) as image:
        values = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    if values.ndim < 3:
        return values
    colours = values[..., : 1 if values.shape[2] == 2 else 3]
    if (colours != colours[..., :1]).any():
        raise DegradationError(f"{path}: has colours; save the kernel as a gray picture")
    return colours[..., 0]


def _matlab(path: Path) -> NDArray[np.generic]:
    """The variable f, or the only one."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise DegradationError(f"{path}: reading it needs SciPy; pip install 'unblemish[train]'") from error
    found = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    if "f" not in found and len(found) != 1:
        held = ", ".join(found) or "nothing"
        raise DegradationError(f"{path}: holds {held}; save the kernel alone, or under the name f")
    return found.get("f", next(iter(found.values())))


def _checked(values: NDArray[np.generic], path: Path) -> Tensor:
    """A point spread function with odd sides and the sum 1."""
    remedy = "give a two-dimensional point spread function, none of its values below 0"
    if values.ndim != 2 or not values.size or not (np.isrealobj(values) and values.dtype.kind in "biuf"):
        raise DegradationError(f"{path}: holds {values.dtype} of shape {values.shape}; {remedy}")
    if max(values.shape) > _LARGEST:
        raise DegradationError(f"{path}: is {values.shape} pixels; cut it to {_LARGEST} along each side")
    weights = values.astype(np.float64)
    if not np.isfinite(weights).all() or weights.min() < 0.0:
        raise DegradationError(f"{path}: holds values below 0, or infinite ones; {remedy}")
    if not weights.sum() > 0.0:
        raise DegradationError(f"{path}: is 0 everywhere; {remedy}")
    odd = np.pad(weights / weights.sum(), [(0, 1 - side % 2) for side in weights.shape])
    return torch.from_numpy(odd.astype(np.float32))
