"""Golf Optimizer: one bold step towards the sharp picture, then corrections by one network that is applied repeatedly.

Source: Luo, Chen, Qian, "A Deep Optimization Approach for Image Deconvolution", Fig. 3 and 6, Table 1, Sec. 5.1.

Deviations: where the paper contradicts itself, what fits the parameter counts of Table 1 was taken. The last
convolution has 7 x 7 taps (the caption of Fig. 6 says 3), convolutions have no bias, normalisations have gain and bias.
Two orders of a block fit the counts: "pre" normalises before it convolves, and is the default because it leaves its
shortcuts clean; "post" convolves first. Networks work on pictures in [-1, 1], as the size of the paper's losses
implies. The last convolution starts small, so that training starts near the identity. The paper neither folds squares
of pixels into channels nor lets another network take the first step.
Weights trained by this project carry their own licence note in their bundle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.networks.iterative import IterativeNetwork
from unblemish.networks.nafnet import nafnet_compact

ORDERS = ("pre", "post")
"""Of a block: normalisation and activation before each convolution, or after it."""


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation with gain and bias, which gives a picture of one pixel its bias instead of an error."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`(B, C, H, W)` to the same."""
        fast = torch.backends.cudnn.enabled
        return torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, self.eps, fast)


class BasicBlock(nn.Module):
    """Six layers, two of them convolutions of 7 x 7 and 5 x 5 taps, around a shortcut (Fig. 6)."""

    def __init__(self, entering: int, leaving: int, order: str) -> None:
        super().__init__()
        wide = nn.Conv2d(entering, leaving, 7, padding=3, bias=False)
        narrow = nn.Conv2d(leaving, leaving, 5, padding=2, bias=False)
        project = nn.Conv2d(entering, leaving, 1, bias=False)
        if order == "pre":
            layers = [InstanceNorm(entering), nn.ReLU(), wide, InstanceNorm(leaving), nn.ReLU(), narrow]
            shortcut = [project, InstanceNorm(leaving)]
        else:
            layers = [wide, InstanceNorm(leaving), nn.ReLU(), narrow, InstanceNorm(leaving), nn.ReLU()]
            shortcut = [InstanceNorm(entering), project]
        self.residual = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if entering == leaving else nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, entering, H, W)` to `(B, leaving, H, W)`."""
        return self.shortcut(x) + self.residual(x)


class ResidualCnn(Network):
    """The network that both F and G are: a convolution, four pairs of blocks, a convolution, added to the picture.

    Args:
        width: Filters f; the paper has 32 for F and 16 for G.
        order: One of `ORDERS`.
        fold: Side of the pixel squares that are folded into channels; 1 is the published network.
    """

    def __init__(self, *, width: int, order: str = "pre", fold: int = 1) -> None:
        super().__init__()
        if order not in ORDERS or width < 1 or fold < 1:
            raise ValueError(
                f"give an order of {', '.join(ORDERS)}, width and fold from 1, not {order}, {width}, {fold}"
            )
        folded = self.channels * fold**2
        self.fold = self.size_multiple = fold
        self.conv_first = nn.Conv2d(folded, width, 7, padding=3, bias=False)
        widths = [width] * 7 + [folded, folded]
        blocks = [BasicBlock(*pair, order) for pair in pairwise(widths)]
        self.stages = nn.Sequential(*(nn.Sequential(*blocks[at : at + 2]) for at in range(0, 8, 2)))
        self.conv_last = nn.Conv2d(folded, folded, 7, padding=3, bias=False)
        self.conv_last.weight.data.mul_(0.1)

    def transform(self, x: Tensor) -> Tensor:
        """`(B, 3, H, W)` to the same: x + r(x) (Eq. 11)."""
        signed = 2 * x.to(self.conv_first.weight.dtype) - 1  # [-1, 1]
        y = self.conv_first(F.pixel_unshuffle(signed, self.fold))  # (B, width, H / fold, W / fold)
        y = self.conv_last(self.stages(y))
        return x + F.pixel_shuffle(y, self.fold) / 2


class GolfOptimizer(IterativeNetwork):
    """x_0 = F(y), x_i = G(x_{i-1}) (Sec. 3).

    Args:
        first: F.
        corrector: G.
        iterations: How often G is applied, where nobody sets another number.
    """

    def __init__(self, first: Network, corrector: Network, iterations: int) -> None:
        super().__init__()
        if iterations < 0:
            raise ValueError(f"iterations={iterations} is not allowed; give a whole number from 0")
        self.first = first
        self.corrector = corrector
        self.iterations = iterations
        self.size_multiple = math.lcm(first.size_multiple, corrector.size_multiple)

    @property
    def receptive_field(self) -> int | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Network`: that of F alone where there are no iterations, else None, as G normalises whole pictures."""
        return self.first.receptive_field if self.iterations == 0 else None

    def estimates(self, x: Tensor) -> Iterator[Tensor]:
        """See `IterativeNetwork.estimates`: F(y), G(F(y)), G(G(F(y))) and so on."""
        x = self.first.transform(x)
        while True:
            yield x
            x = self.corrector.transform(x)


def golf_first(*, width: int = 32, order: str = "pre", fold: int = 1) -> ResidualCnn:
    """F: 466,348 parameters."""
    return ResidualCnn(width=width, order=order, fold=fold)


def golf_corrector(*, width: int = 16, order: str = "pre", fold: int = 1) -> ResidualCnn:
    """G: 120,188 parameters."""
    return ResidualCnn(width=width, order=order, fold=fold)


def golf(
    *,
    first: str = "golf_first",
    width: int = 32,
    fold: int = 1,
    corrector_width: int = 16,
    corrector_fold: int = 1,
    order: str = "pre",
    iterations: int = 3,
) -> GolfOptimizer:
    """F and G; 466,348 and 120,188 parameters as published, three iterations as in the paper's tests (Sec. 6.1).

    Args:
        first: "golf_first", or "nafnet_compact" to let that network take the first step.
        width: Of the first network.
        fold: Of `golf_first`.
        corrector_width: Of G.
        corrector_fold: Of G.
        order: Of both networks' blocks.
        iterations: How often G is applied where nobody sets another number.
    """
    if first not in ("golf_first", "nafnet_compact"):
        raise ValueError(f"first={first!r} is not known; give golf_first or nafnet_compact")
    step = nafnet_compact(width=width) if first == "nafnet_compact" else golf_first(width=width, order=order, fold=fold)
    return GolfOptimizer(step, golf_corrector(width=corrector_width, order=order, fold=corrector_fold), iterations)
