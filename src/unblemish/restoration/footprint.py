"""How much memory a network takes for a pixel, and how large a tile a budget allows."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn

from unblemish.networks.base import Network
from unblemish.restoration.errors import RestorationError

_PROBE = 128
"""Side of the probe picture in pixels (rounded up to the network's stride)."""

_SAFETY = 1.5
"""Over the counted peak: results of operators that are no module, workspaces, the allocator's gaps."""

_FLOAT_COPIES = 6
"""Copies of a tile in float32 on its way in and out: samples, input, output, weighted output."""

_LARGEST_TILE = {"cpu": 704, "mps": 1024, "cuda": 2048}
"""Larger tiles are slower on CPUs, whose caches they outgrow (`unblemish bench tiles`), and win little on GPUs."""

_OVERLAPS = 4
"""So many overlaps long may a tile become in any case, or most of the work would be done twice."""


class _LiveTensors:
    """Counts the bytes of the tensors that go in and out of modules and are still alive."""

    def __init__(self) -> None:
        self.peak = 0
        self._live: dict[int, int] = {}

    def see(self, *values: Any) -> None:
        """Takes note of tensors, each until it is freed."""
        for value in values:
            if isinstance(value, Tensor) and id(value) not in self._live:
                self._live[id(value)] = value.numel() * value.element_size()
                weakref.finalize(value, self._live.pop, id(value))
        self.peak = max(self.peak, sum(self._live.values()))


def bytes_per_pixel(network: Network, dtype: torch.dtype) -> float:
    """Peak memory that `network` takes for one pixel of the input, beside its weights.

    Measured on a small probe: the tensors that modules take and pass on and that are alive together at the
    worst moment, times a factor for what modules do not show, plus the copies of the tile itself.

    Args:
        network: On the CPU with float32 weights.
        dtype: What it will compute in.
    """
    side = -(-_PROBE // network.size_multiple) * network.size_multiple
    live, hooks = _LiveTensors(), []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        live.see(*inputs)

    def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        live.see(output)

    for module in network.modules():
        hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, network.channels, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    activations = _SAFETY * live.peak / side**2 * dtype.itemsize / torch.float32.itemsize
    return activations + _FLOAT_COPIES * 4 * network.channels * network.scale**2


def choose_tile(
    network: Network,
    budget: int,
    per_pixel: float,
    width: int,
    device: torch.device,
    overlap: int,
    smallest: int,
) -> int:
    """The largest tile side in pixels for which a tile and its row of float results stay within the budget.

    Args:
        network: What runs.
        budget: Bytes.
        per_pixel: As `bytes_per_pixel` measured.
        width: Columns of the picture.
        device: Sets the largest tile that is still of use, which wide overlaps raise.
        overlap: Pixels that neighbouring tiles share.
        smallest: Smallest tile that can be run.

    Raises:
        RestorationError: The budget does not hold even the smallest tile.
    """
    strip = 4 * network.channels * network.scale**2 * width  # bytes of a row of float results
    side = max(_LARGEST_TILE[device.type], _OVERLAPS * overlap)
    while side > smallest and per_pixel * min(side, width) * side + strip * side > budget:
        side -= 8
    side = max(side, smallest)
    need = int(per_pixel * min(side, width) * side + strip * side)
    if need > budget:
        raise RestorationError(
            f"a memory budget of {budget / 1e6:.0f} MB is too small for this picture: "
            f"give --memory {-(-need // 10**6)}MB"
        )
    return side
