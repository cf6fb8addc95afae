"""The features that GRIDS compares deep degradation representations with (Table 2b): VGG16 and SIFT.

The paper changes nothing but the features, so these keep the contract of `Features` and go through the same signatures.
Neither kind of weights ships: VGG16's come from a file that the user names, SIFT needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unblemish.examination.features import Features
from unblemish.networks.vgg import load_vgg


class Vgg16Features(Features):
    """VGG16 (Simonyan and Zisserman, 2014) after relu3_3: `(B, 256, H / 4, W / 4)`.

    The paper does not name its layer. relu3_3 is the deepest of those used to compare restored pictures: later ones
    tell objects apart and have lost the damage, earlier ones are little more than edges.

    Args:
        path: Of the weights, as for `networks.vgg.load_vgg`.
        dtype: float32 or bfloat16, of weights, activations and result.

    Raises:
        NetworkError: There is no such file, or it holds something else.
    """

    name = "vgg16_relu3_3"
    patch_side = 128

    def __init__(self, path: Path | None = None, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        network = load_vgg("vgg16", ["relu3_3"], path)
        self._network = network.to(dtype=dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def description(self) -> dict[str, Any]:
        """See `Features.description`."""
        return {"kind": "VGG16", "layer": "relu3_3", "dtype": str(self._dtype).removeprefix("torch.")}

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Features.__call__`."""
        return self._network(pictures.cpu().contiguous(memory_format=torch.channels_last))[0]


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
