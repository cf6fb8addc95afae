"""The features that GRIDS compares deep degradation representations with (Table 2b): VGG16 and SIFT.

The paper changes nothing but the features, so these keep the contract of `Features` and go through the same signatures.
Neither kind of weights ships: VGG16's come from a file that the user names, SIFT needs none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unblemish.examination.errors import ExaminationError
from unblemish.examination.features import Features

VGG16_VARIABLE = "UNBLEMISH_VGG16"
"""Environment variable that names the file with VGG16's features."""

_LAYERS = (
    (0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256)
)  # fmt: skip
"""Index in torchvision's `features`, channels in and out, up to relu3_3; max-pooling precedes 5 and 10."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, which the published weights expect to be taken out."""


class Vgg16Features(Features):
    """VGG16 (Simonyan and Zisserman, 2014) after relu3_3: `(B, 256, H / 4, W / 4)`.

    The paper does not name its layer. relu3_3 is the deepest of those used to compare restored pictures: later ones
    tell objects apart and have lost the damage, earlier ones are little more than edges.

    Args:
        path: safetensors file with torchvision's keys; None for what the environment variable names.
        dtype: float32 or bfloat16, of weights, activations and result.

    Raises:
        ExaminationError: There is no such file, or it holds something else.
    """

    name = "vgg16_relu3_3"
    patch_side = 128

    def __init__(self, path: Path | None = None, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        self._weights = {key: value.to(dtype) for key, value in _load(path).items()}

    @property
    def description(self) -> dict[str, Any]:
        """See `Features.description`."""
        return {"kind": "VGG16", "layer": "relu3_3", "dtype": str(self._dtype).removeprefix("torch.")}

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Features.__call__`."""
        shift, scale = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))
        x = ((pictures.cpu() - shift) / scale).to(self._dtype, memory_format=torch.channels_last)
        for index, _, _ in _LAYERS:
            if index in (5, 10):
                x = F.max_pool2d(x, 2)
            weight, bias = (self._weights[f"features.{index}.{part}"] for part in ("weight", "bias"))
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
        return x


class SiftFeatures(Features):
    """Dense SIFT descriptors (Lowe, 2004) of the luma: `(B, 128, H // 8, W // 8)`, values 0..1.

    The paper does not say how it turns keypoints into features. Found keypoints differ in number from patch to patch
    and would vanish with blur, so descriptors stand on a grid instead: one every 8 pixels, upright, for regions of 16
    pixels. Computed by OpenCV, part of the extra `compare`.
    """

    name = "sift_dense"
    patch_side = 128
    _STEP, _REGION = 8, 16

    @property
    def description(self) -> dict[str, Any]:
        """See `Features.description`."""
        return {"kind": "dense SIFT", "step": self._STEP, "region": self._REGION}

    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Features.__call__`; on the CPU.

        Raises:
            ModuleNotFoundError: OpenCV is not installed.
        """
        import cv2

        sift = cv2.SIFT.create()
        rows, columns = (side // self._STEP for side in pictures.shape[-2:])
        half = self._STEP / 2
        # OpenCV's descriptor covers a square six times as wide as the keypoint's size.
        places = [
            cv2.KeyPoint(self._STEP * column + half, self._STEP * row + half, self._REGION / 6, 0)
            for row in range(rows)
            for column in range(columns)
        ]
        luma = (pictures.cpu() * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(1)  # (B, H, W)
        found: list[np.ndarray] = []
        for plane in luma.mul(255).round_().clamp_(0, 255).byte().numpy():
            _, descriptors = sift.compute(plane, places)  # (h * w, 128), 0..255 and a little more
            found.append(descriptors.reshape(rows, columns, 128))
        stacked = torch.from_numpy(np.stack(found)).float().div_(255)  # (B, h, w, 128)
        return stacked.permute(0, 3, 1, 2)  # (B, 128, h, w)


def _load(given: Path | None) -> dict[str, Tensor]:
    """The weights up to relu3_3."""
    named = given or os.environ.get(VGG16_VARIABLE)
    wanted = "a safetensors file with torchvision's keys features.0.weight ... features.14.bias"
    if not named:
        raise ExaminationError(f"no VGG16 weights are given; set {VGG16_VARIABLE} to {wanted}")
    path = Path(named)
    if not path.is_file():
        raise ExaminationError(f"{path}: no such file; VGG16 weights must be {wanted}")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ExaminationError(f"{path}: cannot be read as safetensors ({error}); give {wanted}") from error
    kept: dict[str, Tensor] = {}
    for index, entering, leaving in _LAYERS:
        for part, shape in (("weight", (leaving, entering, 3, 3)), ("bias", (leaving,))):
            key = f"features.{index}.{part}"
            if key not in weights or tuple(weights[key].shape) != shape:
                raise ExaminationError(f"{path}: {key} of shape {shape} is missing; give {wanted}")
            kept[key] = weights[key]
    return kept
