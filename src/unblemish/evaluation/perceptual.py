"""Perceptual distance between pictures in the features of AlexNet.

LPIPS (Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", 2018, equation 1, version 0.1 of its weights): features after each of the five ReLUs,
scaled to unit length at each place; their squared differences, weighted channel by channel, summed over
channels, averaged over places, added over layers. `alex_distance` is the same with the weights 1 / channels:
no published metric, but one that needs no further file.

Neither kind of weights ships with this project. AlexNet's features come from a file that the user names;
LPIPS's channel weights ("heads") come with torchmetrics (BSD 2-clause, part of the extra `train`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from unblemish.evaluation.errors import EvaluationError

ALEXNET_VARIABLE = "UNBLEMISH_ALEXNET"
"""Environment variable that names the file with AlexNet's features."""

_LAYERS = (
    (0, (64, 3, 11, 11), 4, 2),
    (3, (192, 64, 5, 5), 1, 2),
    (6, (384, 192, 3, 3), 1, 1),
    (8, (256, 384, 3, 3), 1, 1),
    (10, (256, 256, 3, 3), 1, 1),
)
"""Index in torchvision's `features`, shape of the weight, stride, padding; max-pooling precedes 3 and 6."""

SMALLEST = 35
"""Least height and width: smaller pictures leave nothing for the last layers."""


class AlexDistance:
    """LPIPS, or its unweighted kin, on AlexNet.

    Args:
        features: Weights and biases with torchvision's keys, "features.0.weight" and so on.
        heads: Five tensors of non-negative channel weights `(1, C, 1, 1)` or `(C,)`; None for 1 / C each.
    """

    def __init__(self, features: dict[str, Tensor], heads: Sequence[Tensor] | None = None) -> None:
        self._features = {key: value.float() for key, value in features.items()}
        channels = [shape[0] for _, shape, _, _ in _LAYERS]
        heads = [torch.full((c,), 1 / c) for c in channels] if heads is None else heads
        self._heads = [h.float().reshape(1, -1, 1, 1) for h in heads]  # (1, C, 1, 1)

    @torch.no_grad()
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Distance of each pair.

        Args:
            x: `(B, 3, H, W)` RGB, floating point, [0, 1], at least 35 x 35 pixels.
            y: The same shape.

        Returns:
            `(B,)` float64, 0 for identical pictures.

        Raises:
            EvaluationError: The pictures are too small.
        """
        if min(x.shape[-2:]) < SMALLEST:
            raise EvaluationError(
                f"AlexNet needs pictures of at least {SMALLEST} x {SMALLEST} pixels; leave this one out"
            )
        total = torch.zeros(len(x), dtype=torch.float64)
        for a, b, head in zip(self._activations(x), self._activations(y), self._heads, strict=True):
            total += (head * (a - b).square()).sum(1).mean((1, 2)).double().cpu()
        return total

    def _activations(self, pictures: Tensor) -> list[Tensor]:
        """Features after each ReLU, of unit length at each place: five of `(B, C, h, w)`."""
        # LPIPS shifts and scales [-1, 1] by its own rounded ImageNet statistics.
        shift = torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1)
        scale = torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1)
        x = ((2 * pictures.float().cpu() - 1) - shift) / scale
        found: list[Tensor] = []
        for index, _, stride, padding in _LAYERS:
            if index in (3, 6):
                x = F.max_pool2d(x, 3, 2)
            weight, bias = (self._features[f"features.{index}.{part}"] for part in ("weight", "bias"))
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found


def load_alex_distance(alexnet: Path | None = None) -> AlexDistance:
    """The distance without learned channel weights.

    Args:
        alexnet: safetensors file with torchvision's keys; None for what the environment variable names.

    Raises:
        EvaluationError: There is no such file, or it holds something else.
    """
    return AlexDistance(_load_features(alexnet))


def load_lpips(alexnet: Path | None = None) -> AlexDistance:
    """LPIPS v0.1 on AlexNet.

    Args:
        alexnet: As for `load_alex_distance`.

    Raises:
        EvaluationError: As for `load_alex_distance`, or torchmetrics, which brings the heads, is not
        installed.
    """
    features = _load_features(alexnet)
    spec = find_spec("torchmetrics")
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((p for f in folders if (p := Path(f, "functional/image/lpips_models/alex.pth")).is_file()), None)
    if path is None:
        raise EvaluationError(
            "LPIPS needs the channel weights that come with torchmetrics: pip install 'unblemish[train]', "
            "or ask for alex_distance instead"
        )
    heads = torch.load(path, map_location="cpu", weights_only=True)
    return AlexDistance(features, [heads[f"lin{layer}.model.1.weight"] for layer in range(len(_LAYERS))])


def _load_features(alexnet: Path | None) -> dict[str, Tensor]:
    given = alexnet or os.environ.get(ALEXNET_VARIABLE)
    wanted = "a safetensors file with torchvision's keys features.0.weight ... features.10.bias"
    if not given:
        raise EvaluationError(f"no AlexNet weights are given; set {ALEXNET_VARIABLE} to {wanted}")
    path = Path(given)
    if not path.is_file():
        raise EvaluationError(f"{path}: no such file; AlexNet weights must be {wanted}")
    try:
        features = load_file(path)
    except (SafetensorError, OSError) as error:
        raise EvaluationError(f"{path}: cannot be read as safetensors ({error}); give {wanted}") from error
    for index, shape, _, _ in _LAYERS:
        for part, expected in (("weight", shape), ("bias", shape[:1])):
            key = f"features.{index}.{part}"
            if key not in features or tuple(features[key].shape) != expected:
                raise EvaluationError(f"{path}: {key} of shape {expected} is missing; give {wanted}")
    return features
