"""The contract every network keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A restoration network: an `nn.Module` from picture to picture, with what a caller must know to run it.

    `forward` takes `(B, C, H, W)` in [0, 1] of any H and W, in float32 or the dtype of the weights, and returns
    `(B, C, scale * H, scale * W)` of the same dtype, not clamped. Networks are pure: no file access, no device
    choice, no state between calls. They run in float32 and bfloat16, in either memory format.

    A network computes in the dtype of its weights, but adds its residual to the picture in the picture's own: weights
    in bfloat16 then leave a float32 picture unrounded where there is nothing to change, 8 significant bits would cost
    a clean picture its last bits.
    """

    channels: ClassVar[int] = 3
    """Colour channels in and out."""

    scale: int = 1
    """Output size over input size."""

    size_multiple: int = 1
    """`transform` sees only heights and widths divisible by this; `forward` pads and crops."""

    receptive_field: int | None = None
    """Input pixels on each side that one output pixel depends on; None where it depends on the whole picture."""

    @property
    def tiles_are_exact(self) -> bool:
        """Whether a picture restored in tiles equals the picture restored whole, given enough overlap."""
        return self.receptive_field is not None

    @property
    def parameter_count(self) -> int:
        """Number of weights that a training may change, whether this one does or not."""
        return sum(p.numel() for p in self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        """Restores `(B, C, H, W)`; pads by reflection (by replication where a side is too short) and crops."""
        height, width = x.shape[-2:]
        below, right = -height % self.size_multiple, -width % self.size_multiple
        if below or right:
            mode = "reflect" if below < height and right < width else "replicate"
            x = F.pad(x, (0, right, 0, below), mode=mode)
        y = self.transform(x)
        return y[..., : height * self.scale, : width * self.scale].to(x.dtype)

    @abstractmethod
    def transform(self, x: Tensor) -> Tensor:
        """`forward` for `(B, C, H, W)` whose H and W are multiples of `size_multiple`.

        Casts what enters the first layer to the weights' dtype, and adds the last layer's result to `x` as it came.
        """
