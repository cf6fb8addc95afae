"""Metrics of a picture against its clean original.

PSNR and SSIM are written here rather than taken from torchmetrics, because that one's SSIM also averages over
the border it had to invent by reflection, unlike the SSIM paper and scikit-image, has no sample covariance
(which the protocol "lira" needs), and is no core dependency. The tests hold both against scikit-image and
torchmetrics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.perceptual import load_alex_distance, load_lpips
from unblemish.evaluation.protocol import Protocol

_C1, _C2 = 0.01**2, 0.03**2


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio for a data range of 1.

    Args:
        x: `(B, C, H, W)`, floating point.
        y: The same shape.

    Returns:
        `(B,)` float64 in dB, from the squared error averaged over channels and pixels; inf where x equals y.
    """
    squared = (x.double() - y.double()).square_().flatten(1).mean(1)  # (B,)
    return -10.0 * torch.log10(squared)


def ssim(
    x: Tensor,
    y: Tensor,
    window: Literal["gaussian", "uniform"] = "gaussian",
    border: Literal["inside", "zero"] = "inside",
) -> Tensor:
    """Structural similarity (Wang, Bovik, Sheikh and Simoncelli, 2004) for a data range of 1.

    Computed for each channel, then averaged.

    Args:
        x: `(B, C, H, W)`, floating point.
        y: The same shape.
        window: "gaussian" for 11 x 11 with sigma 1.5, as in the paper; "uniform" for 7 x 7 with sample
            covariances, the default of scikit-image.
        border: "inside" for the places where the whole window lies within the picture, as in the paper; "zero" for
            every pixel, with zeros around the picture, as pytorch-ssim does.

    Returns:
        `(B,)` float64, at most 1.

    Raises:
        EvaluationError: The border is "inside" and the pictures are smaller than the window.
    """
    size = 11 if window == "gaussian" else 7
    if border == "inside" and min(x.shape[-2:]) < size:
        raise EvaluationError(
            f"SSIM needs pictures of at least {size} x {size} pixels after cropping; leave this one out"
        )
    offsets = torch.arange(size, dtype=torch.float64, device=x.device) - size // 2
    weights = torch.exp(-offsets.square() / (2 * 1.5**2)) if window == "gaussian" else torch.ones_like(offsets)
    weights /= weights.sum()
    bias = 1.0 if window == "gaussian" else size**2 / (size**2 - 1)
    around = size // 2 if border == "zero" else 0

    def local_mean(values: Tensor) -> Tensor:
        planes = values.reshape(-1, 1, *values.shape[-2:])  # (B * C, 1, H, W)
        rows = F.conv2d(planes, weights.reshape(1, 1, -1, 1), padding=(around, 0))  # (B * C, 1, h, W)
        return F.conv2d(rows, weights.reshape(1, 1, 1, -1), padding=(0, around))  # (B * C, 1, h, w)

    x, y = x.double(), y.double()
    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = bias * (local_mean(x * x + y * y) - mean_x.square() - mean_y.square())
    covariance = bias * (local_mean(x * y) - mean_x * mean_y)
    similarity = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    similarity /= (mean_x.square() + mean_y.square() + _C1) * (variances + _C2)
    return similarity.reshape(len(x), -1).mean(1)  # (B,)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as scored and tabulated.

    Attributes:
        name: Key in files.
        title: Heading in tables.
        decimals: Digits printed after the point.
        higher_is_better: Whether a gain is a rise.
        rgb_only: Whether it is left out under protocols that compare one channel.
        compute: `(x, y, protocol)` to `(B,)`, where x and y are as `Protocol.prepare` returned them.
    """

    name: str
    title: str
    decimals: int
    higher_is_better: bool
    rgb_only: bool
    compute: Callable[[Tensor, Tensor, Protocol], Tensor]


def metric_names() -> tuple[str, ...]:
    """Names of the metrics."""
    return "psnr", "ssim", "lpips", "alex_distance"


def create_metric(name: str, alexnet: Path | None = None) -> Metric:
    """A metric by name.

    Args:
        name: One of `metric_names()`.
        alexnet: File with AlexNet's features, for "lpips" and "alex_distance" (see `perceptual`).

    Raises:
        EvaluationError: The name is not known, or the weights it needs are not at hand.
    """
    match name:
        case "psnr":
            return Metric(name, "PSNR", 2, True, False, lambda x, y, p: psnr(x, y).clamp(max=p.psnr_ceiling))
        case "ssim":
            return Metric(name, "SSIM", 4, True, False, lambda x, y, p: ssim(x, y, p.ssim_window, p.ssim_border))
        case "lpips":
            distance = load_lpips(alexnet)
            return Metric(name, "LPIPS (AlexNet)", 4, False, True, lambda x, y, _: distance(x, y))
        case "alex_distance":
            distance = load_alex_distance(alexnet)
            return Metric(name, "AlexNet distance", 4, False, True, lambda x, y, _: distance(x, y))
    raise EvaluationError(f"no metric is called {name!r}; choose from: {', '.join(metric_names())}")
