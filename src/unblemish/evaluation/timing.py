"""Times that can be compared: interleaved medians, the work of a network, what the machine can do at most."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode

from unblemish.networks.base import Network

_PROBE = 64
"""Side of the picture that work is counted on, in pixels (rounded up to the network's stride)."""


def interleaved(functions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median seconds of each function.

    Each round calls every function once, so that a busy moment of the machine hurts all alike.

    Args:
        functions: What to time, already warm: nothing is left out of the medians.
        repeats: Rounds, at least 1.
    """
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for times, function in zip(seconds, functions, strict=True):
            start = perf_counter()
            function()
            times.append(perf_counter() - start)
    return [median(times) for times in seconds]


def multiply_adds_per_pixel(network: Network) -> float:
    """Multiplications, each with its addition, that a network needs for one pixel of the input.

    Convolutions and matrix products only, as counted by PyTorch; the rest is a per cent or so.
    """
    side = -(-_PROBE // network.size_multiple) * network.size_multiple
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        copy.deepcopy(network).to("meta")(torch.empty(1, network.channels, side, side, device="meta"))
    return counter.get_total_flops() / 2 / side**2


def matrix_product(size: int, dtype: torch.dtype) -> Callable[[], object]:
    """A product of two square matrices on the CPU, which is about the most work the machine can do in a time.

    It makes `size ** 3` multiply-adds a call. It is warm.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, size, generator=generator).to(dtype) for _ in range(2))
    product = left @ right
    return lambda: torch.mm(left, right, out=product)
