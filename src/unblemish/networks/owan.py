"""OWAN: a restorer that weighs eight operations in every layer by what the picture needs.

Source: Suganuma, Liu, Okatani, "Attention-based Adaptive Selection of Operations for Image Restoration in the Presence
of Unknown Combined Distortions", CVPR 2019 (arXiv 1812.00733): operation-wise attention, operation layers, groups;
what convolutions look like inside, and the 391,456 parameters, from the authors' code.

Choices: that code convolves every group's input by 1x1 with an activation before its first layer, though not for the
attention; the stem's blocks are depthwise alone, without pointwise convolutions; dilated convolutions come once, the
others twice; averages leave the padding out. The parameters add up with all of that. Only attention has biases.

Deviations: none by default. The results of a layer's operations are weighed after they were put side by side, all at
once: the same numbers, and a sixth of a training step on CPUs less. The global residual and the scaled start are ours.
Layers carry the names that they have in the released code, for the weights published with it.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network

SEPARABLE: Final = (1, 3, 5, 7)
"""Sides of the kernels that are applied twice."""

DILATED: Final = (3, 5, 7)
"""Sides of the kernels whose taps are two pixels apart."""

OPERATIONS: Final = len(SEPARABLE) + len(DILATED) + 1
"""In a layer; the last one averages."""

BLOCKS: Final = 4
"""Residual blocks of the stem, as published."""


class WideConvolution(nn.Conv2d):
    """A depthwise convolution that CPUs compute in the dtype of its weights, under autocast as well.

    In bfloat16 and channels_last memory, oneDNN 3.12 takes longer for the gradients of large kernels, and for dilated
    ones those of the weights are wrong: they hold whatever their memory held before.
    """

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`(B, width, H, W)` to the same."""
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype) if x.device.type == "cpu" else x)


class ResidualBlock(nn.Module):
    """Two depthwise 3x3 convolutions around an identity; the last activation follows the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _depthwise(width, 3)
        self.conv2 = _depthwise(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, an activation, and both once more."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.op = nn.Sequential(
            _depthwise(width, side), _pointwise(width, width), nn.ReLU(),
            _depthwise(width, side), _pointwise(width, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return self.op(x)


class DilatedSeparable(nn.Module):
    """A depthwise convolution whose taps are two pixels apart, and a pointwise one."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.op = nn.Sequential(_depthwise(width, side, dilation=2), _pointwise(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to the same."""
        return self.op(x)


class OperationAttention(nn.Module):
    """The weight of every operation in every layer of a group, from the channels' means over the picture."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        weights = layers * OPERATIONS
        self.ca_fc = nn.Sequential(nn.Linear(width, 2 * weights), nn.ReLU(), nn.Linear(2 * weights, weights))

    def forward(self, x: Tensor) -> Tensor:
        """`(B, width, H, W)` to `(B, layers, OPERATIONS)`, whose last axis sums to one."""
        scores = self.ca_fc(x.mean(dim=(2, 3)))  # (B, layers * OPERATIONS)
        return scores.unflatten(1, (self.layers, OPERATIONS)).softmax(-1)


class OperationLayer(nn.Module):
    """All operations side by side, weighed and joined by a pointwise convolution, around an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._ops = nn.ModuleList(
            [
                *(Separable(width, side) for side in SEPARABLE),
                *(DilatedSeparable(width, side) for side in DILATED),
                nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
            ]
        )
        self._out = nn.Sequential(_pointwise(OPERATIONS * width, width), nn.ReLU())

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """`(B, width, H, W)` and `(B, OPERATIONS)` to `(B, width, H, W)`."""
        results = torch.cat([operation(x) for operation in self._ops], dim=1)  # (B, OPERATIONS * width, H, W)
        # Autocast leaves a softmax in float32 on some devices, which would make the features so too.
        each = weights.to(results.dtype).repeat_interleave(x.shape[1], dim=1)  # (B, OPERATIONS * width)
        return F.relu(x + self._out(results * each[..., None, None]))


class Group(nn.Module):
    """A pointwise convolution and operation layers."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.preprocess = nn.ModuleDict({"op": nn.Sequential(_pointwise(width, width), nn.ReLU())})
        self._ops = nn.ModuleList(OperationLayer(width) for _ in range(layers))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """`(B, width, H, W)` and `(B, layers, OPERATIONS)` to `(B, width, H, W)`."""
        x = self.preprocess["op"](x)
        for layer, each in zip(self._ops, weights.unbind(1), strict=True):
            x = layer(x, each)
        return x


class OperationAttentionNetwork(Network):
    """Convolution, depthwise blocks, groups with an attention each, convolution.

    Weights start as PyTorch draws them, as in the published code. Features shrink by a half or more in the first
    convolution of every group then, after ten groups ten thousand times, and gradients with them.

    Args:
        width: Channels throughout.
        groups: Groups of operation layers.
        layers: Layers of each group.
        residual: Whether the result is added to the picture; not so as published.
        scaled: Whether those convolutions start by He's rule (ICCV 2015), which keeps features in size; not so as
            published.

    Raises:
        ValueError: There is no such network.
    """

    def __init__(self, *, width: int, groups: int, layers: int, residual: bool, scaled: bool) -> None:
        super().__init__()
        if width < 1 or groups < 1 or layers < 1:
            raise ValueError(f"give width, groups and layers from 1, not {width}, {groups} and {layers}")
        self.residual = residual
        first = nn.Conv2d(self.channels, width, 3, padding=1, bias=False)
        self.FEB = nn.Sequential(first, *(ResidualBlock(width) for _ in range(BLOCKS)))
        self.layers = nn.ModuleList()
        for _ in range(groups):
            group = Group(width, layers)
            if scaled:
                nn.init.kaiming_normal_(group.preprocess["op"].get_parameter("0.weight"))
            self.layers.extend([OperationAttention(width, layers), group])
        self.conv2 = nn.Conv2d(width, self.channels, 3, padding=1, bias=False)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same."""
        y = self.FEB(x.to(self.conv2.weight.dtype))  # (B, width, H, W)
        for attention, group in zip(self.layers[::2], self.layers[1::2], strict=True):
            y = group(y, attention(y))
        return x + self.conv2(y) if self.residual else self.conv2(y)


def _depthwise(width: int, side: int, dilation: int = 1) -> nn.Conv2d:
    kind = WideConvolution if side > 3 or dilation > 1 else nn.Conv2d
    return kind(width, width, side, padding=dilation * (side // 2), dilation=dilation, groups=width, bias=False)


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


def owan(
    *, width: int = 16, groups: int = 10, layers: int = 4, residual: bool = False, scaled: bool = False
) -> OperationAttentionNetwork:
    """As published: 10 groups of 4 layers, 16 channels; 391,456 parameters."""
    return OperationAttentionNetwork(width=width, groups=groups, layers=layers, residual=residual, scaled=scaled)
