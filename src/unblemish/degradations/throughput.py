"""How fast damage is made, so that training need not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from unblemish.degradations.catalogue import create, operators


@dataclass(frozen=True, slots=True)
class ThroughputRow:
    """The speed of one degradation.

    Attributes:
        name: The catalogue's name.
        patches_per_second: Batch size over the median time of `sample` and `apply`.
        milliseconds: That median time, for the whole batch.
    """

    name: str
    patches_per_second: float
    milliseconds: float


def smooth_patches(batch: int, size: int, generator: torch.Generator) -> Tensor:
    """Made-up pictures with structure at several scales; flat ones would flatter the JPEG codec.

    Args:
        batch: B.
        size: H and W in pixels.
        generator: CPU generator.

    Returns:
        `(B, 3, size, size)`, float32, [0, 1], on the CPU.
    """
    patches = torch.full((batch, 3, size, size), 0.5)
    for cells in (4, 16, 64):
        grain = torch.randn(batch, 3, cells, cells, generator=generator)
        patches += nn.functional.interpolate(grain, (size, size), mode="bicubic") * (0.6 / cells**0.5)
    return patches.clamp(0.0, 1.0)


def measure(
    chosen: Sequence[str] | None = None,
    batch: int = 16,
    size: int = 128,
    repeats: int = 7,
    device: str | torch.device = "cpu",
) -> list[ThroughputRow]:
    """Times degradations with sampled parameters, interleaved so that a busy moment hurts all alike.

    Args:
        chosen: Names of the catalogue; if not given, all operators, whose times a blend adds up.
        batch: Patches a call.
        size: Side of a patch in pixels.
        repeats: Timed calls a degradation, after one that is not timed.
        device: Where the patches lie.

    Returns:
        One row a degradation, in the order of `chosen`.

    Raises:
        DegradationError: A name is not known.
    """
    degradations = [create(name) for name in (operators() if chosen is None else chosen)]
    drawing = torch.Generator().manual_seed(0)
    noise = torch.Generator(device).manual_seed(0)
    patches = smooth_patches(batch, size, drawing).to(device)
    seconds: list[list[float]] = [[] for _ in degradations]
    for _ in range(repeats + 1):
        for times, degradation in zip(seconds, degradations, strict=True):
            start = perf_counter()
            degradation.apply(patches, degradation.sample(batch, drawing), noise)
            if patches.is_cuda:
                torch.cuda.synchronize(patches.device)
            times.append(perf_counter() - start)
    return [
        ThroughputRow(degradation.name, batch / median(times[1:]), 1e3 * median(times[1:]))
        for times, degradation in zip(seconds, degradations, strict=True)
    ]
