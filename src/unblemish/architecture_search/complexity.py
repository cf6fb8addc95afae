"""What the modules of a supernet cost: parameters, multiply-adds or measured time.

Source: CLEARER (Gou et al., NeurIPS 2020), C^p and C^f of Eq. 5. The paper names module size, time and FLOPs, and takes
the size: 0.7 and 0.3.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from unblemish.evaluation.timing import interleaved
from unblemish.networks.multiscale import FUSION, PARALLEL, SEPARATOR
from unblemish.networks.multiscale_modules import Branches
from unblemish.networks.multiscale_supernet import MultiScaleSupernet

Complexity = Literal["parameters", "flops", "latency"]
"""Trainable values; multiplications, each with its addition, a pixel of the picture; seconds a picture."""

_WARM_UP, _REPEATS = 2, 15
"""Interleaved rounds: those that only warm up, and those in which latencies are measured; medians count."""


def measure_costs(
    supernet: MultiScaleSupernet,
    kind: Complexity,
    side: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The cost of both modules of every column.

    Args:
        supernet: Not changed.
        kind: See `Complexity`.
        side: Of the square picture that flops and latency are taken on, pixels; rounded up to the supernet's multiple.
        device: Where latency is measured; nothing else should run there meanwhile.
        dtype: Which latency is measured in.

    Returns:
        `(columns, 2)` float64: parallel and fusion module, see `Complexity` for the units.
    """
    columns = [column for _, column in supernet.mixed()]
    modules = [(module, column.widths) for column in columns for module in (column.parallel, column.fusion)]
    grid = -(-side // supernet.size_multiple) * supernet.size_multiple // supernet.fold
    if kind == "parameters":
        costs = [float(sum(p.numel() for p in module.parameters())) for module, _ in modules]
    elif kind == "flops":
        pixels = (grid * supernet.fold) ** 2
        costs = [_multiply_adds(module, branches(widths, grid, "meta")) / pixels for module, widths in modules]
    else:
        costs = _seconds(
            [(_placed(module, device, dtype), branches(widths, grid, device, dtype)) for module, widths in modules]
        )
    return torch.tensor(costs, dtype=torch.float64).reshape(-1, 2)  # (columns, 2)


def normalised(costs: Tensor, of: Literal["kind", "column"]) -> Tensor:
    """Costs as the constants C^p and C^f of Eq. 5, whose mean sum over the columns is 1.

    Args:
        costs: `(columns, 2)`, positive.
        of: "kind" gives every column the same two constants, the shares of all parallel and of all fusion modules, as
            published (0.681 and 0.319 by parameters; the released code rounds them); "column" keeps their differences.

    Returns:
        `(columns, 2)` float32.
    """
    shares = costs / costs.sum()
    if of == "kind":
        return shares.sum(0).float().expand(len(costs), 2).clone()
    return (shares * len(costs)).float()


def total_cost(costs: Tensor, architecture: str) -> float:
    """The summed cost of the modules that an architecture chooses, in the unit of `costs` `(columns, 2)`."""
    letters = architecture.replace(SEPARATOR, "")
    return sum(float(row[(PARALLEL, FUSION).index(letter)]) for row, letter in zip(costs, letters, strict=True))


def branches(
    widths: Sequence[int], side: int, device: torch.device | str, dtype: torch.dtype = torch.float32
) -> Branches:
    """Features such as a column gets them, `side` being that of the first branch."""
    shapes = [(1, width, side >> level, side >> level) for level, width in enumerate(widths)]
    return [
        torch.rand(shape, device=device).to(dtype).contiguous(memory_format=torch.channels_last) for shape in shapes
    ]


def _placed(module: nn.Module, device: torch.device | str, dtype: torch.dtype) -> nn.Module:
    copied = copy.deepcopy(module).to(device=device, dtype=dtype).eval()
    return copied.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _multiply_adds(module: nn.Module, inputs: Branches) -> float:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        _placed(module, "meta", torch.float32)(inputs)
    return counter.get_total_flops() / 2


@torch.inference_mode()
def _seconds(modules: Sequence[tuple[nn.Module, Branches]]) -> list[float]:
    """Median seconds of each module, all measured in turn, after two rounds that only warm up."""

    def run(module: nn.Module, inputs: Branches) -> Callable[[], None]:
        def once() -> None:
            outputs = module(inputs)
            if outputs[0].device.type == "cuda":
                torch.cuda.synchronize()

        return once

    functions = [run(module, inputs) for module, inputs in modules]
    interleaved(functions, repeats=_WARM_UP)
    return interleaved(functions, repeats=_REPEATS)
