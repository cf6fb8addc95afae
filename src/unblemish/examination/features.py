"""What pictures are described by: the contract of features, and deep degradation representations.

GRIDS (Sec. 4.1) takes the deep features of a super-resolution network for a description of damage: a network that
was trained to enlarge clean pictures by four responds to each kind of damage in its own way (Liu et al., "Discovering
Distinctive 'Semantics' in Super-Resolution Networks", 2021).
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from copy import deepcopy
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from unblemish.examination.errors import ExaminationError
from unblemish.networks.srresnet import SLOPE, SRResNet

Tap = Literal["hr", "trunk"]
"""Where the representation is taken from, see `DeepRepresentation`."""


class Features(ABC):
    """A map from pictures to features, the same for every picture: no state, no randomness, no gradient."""

    name: str
    """Word for records and file names."""

    patch_side: int
    """Height and width in pixels of the patches from which signatures are measured."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What a record needs to repeat the features, fit for JSON."""

    @abstractmethod
    def __call__(self, pictures: Tensor) -> Tensor:
        """Features of a batch.

        Args:
            pictures: `(B, 3, H, W)` float32 RGB in [0, 1], on any device.

        Returns:
            `(B, C, h, w)`, float32 or bfloat16, on the device the features are computed on.
        """


class DeepRepresentation(Features):
    """Deep degradation representations of GRIDS and SRGA, from SRResNet at four times the size.

    Tap "hr", SRGA's: the deepest features at the enlarged size, after the activation that follows `conv_hr`. Its
    patches have 32 pixels. Tap "trunk": the output of the residual trunk, before it is enlarged; its patches have 128
    pixels. Both give `(width, 128, 128)` values a patch. Layers after the tap are not run.

    Args:
        network: Trained at scale 4 with its global residual; copied, not changed.
        tap: One of `Tap`.
        dtype: float32 or bfloat16, of weights, activations and result.

    Raises:
        ExaminationError: The network does not enlarge by four, or there is no such tap.
    """

    def __init__(self, network: SRResNet, tap: Tap = "hr", dtype: torch.dtype = torch.float32) -> None:
        if network.scale != 4:
            raise ExaminationError("a descriptor must enlarge by four; give the weights of an srresnet_x4 network")
        if tap not in get_args(Tap):
            raise ExaminationError(f"there is no tap {tap!r}; choose {' or '.join(get_args(Tap))}")
        copied = deepcopy(network).eval().requires_grad_(False)
        self._network = copied.to(dtype=dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.tap: Tap = tap
        self.name = f"srresnet_x4_{tap}"
        self.patch_side = 32 if tap == "hr" else 128

    @property
    def fingerprint(self) -> str:
        """Changes with the weights, the tap and the number type."""
        digest = hashlib.sha256(f"{self.tap} {self._network.conv_first.weight.dtype}".encode())
        for name, value in sorted(self._network.state_dict().items()):
            digest.update(name.encode() + value.float().contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    @property
    def width(self) -> int:
        """Channels of the result."""
        return self._network.conv_hr.out_channels

    @property
    def description(self) -> dict[str, Any]:
        """See `Features.description`."""
        weight = self._network.conv_first.weight
        return {
            "kind": "deep degradation representation",
            "tap": self.tap,
            "width": self.width,
            "blocks": len(self._network.body),
            "dtype": str(weight.dtype).removeprefix("torch."),
        }

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Features.__call__`; `(B, width, 4H, 4W)` for tap "hr", `(B, width, H, W)` for tap "trunk"."""
        net = self._network
        x = pictures.to(net.conv_first.weight.device, net.conv_first.weight.dtype)
        y = net.conv_first(x.contiguous(memory_format=torch.channels_last))
        y = net.body(F.leaky_relu(y, SLOPE))  # (B, width, H, W)
        if self.tap == "trunk":
            return y
        for enlarge in (net.upconv1, net.upconv2):
            y = F.leaky_relu(F.pixel_shuffle(enlarge(y), 2), SLOPE)
        return F.leaky_relu(net.conv_hr(y), SLOPE)  # (B, width, 4H, 4W)
