r"""What each iteration of a Golf Optimizer brings: PSNR and SSIM of F alone and after every correction, and their size.

    python recipes/golf_iterations.py runs/golf/golf_seed0/best.safetensors PHOTOGRAPHS --iterations 8 \
        -o results/golf_iterations.json --figure docs/images/golf_iterations.png

The relative update ||G(x) - x|| / ||x|| is the norm of the prior's gradient (Luo et al., Eq. 3): where it falls to zero
the iteration converges. Damage is drawn from its published ranges. The weights' seconds and size are measured too:
float32 on a square of 256 pixels, all numbers of iterations in turn, medians.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.errors import UserError
from unblemish.evaluation.cases import Case, DegradedFolder
from unblemish.evaluation.metrics import psnr, ssim
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.evaluation.timing import interleaved
from unblemish.networks.iterative import IterativeNetwork, relative_update
from unblemish.networks.loading import load_described
from unblemish.pictures.errors import PictureError

SIDE, REPEATS = 256, 15
"""Of the picture that is timed, in pixels; and rounds of timing."""


@torch.inference_mode()
def traced(network: IterativeNetwork, damaged: Tensor, iterations: int) -> list[Tensor]:
    """F(y) and its corrections, `iterations` of them; `(1, 3, H, W)` each."""
    height, width = damaged.shape[-2:]
    below, right = -height % network.size_multiple, -width % network.size_multiple
    padded = torch.nn.functional.pad(damaged, (0, right, 0, below), mode="reflect")
    return [x[..., :height, :width] for x in islice(network.estimates(padded), iterations + 1)]


def measure(network: IterativeNetwork, cases: DegradedFolder, iterations: int) -> dict[str, Any]:
    """Means over pictures: scores of the input, scores after 0 to `iterations` corrections, and their updates."""
    protocol = preset("rgb")
    scores: list[list[tuple[float, float]]] = []
    updates: list[list[float]] = []
    for case in cases:
        if not isinstance(case, Case):
            raise PictureError(f"{case.name}: {case.reason}")
        clean = protocol.prepare(case.clean)
        estimates = traced(network, case.damaged, iterations)
        shown = [protocol.prepare(x) for x in (case.damaged, *estimates)]
        scores.append([(float(psnr(x, clean)), float(ssim(x, clean))) for x in shown])
        updates.append([float(relative_update(before, after)) for before, after in pairwise(estimates)])
    before, *after = [[fmean(values) for values in zip(*one, strict=True)] for one in zip(*scores, strict=True)]
    return {
        "pictures": len(scores), "damage": cases.damage, "input": before, "estimates": after,
        "updates": [median(one) for one in zip(*updates, strict=True)],
    }  # fmt: skip


def seconds(network: IterativeNetwork, iterations: int) -> list[float]:
    """Medians of restoring a square with 0 to `iterations` corrections."""
    picture = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def once(count: int) -> Callable[[], object]:
        return lambda: traced(network, picture, count)

    functions = [once(count) for count in range(iterations + 1)]
    interleaved(functions, repeats=2)
    return interleaved(functions, repeats=REPEATS)


def draw(found: dict[str, Any], path: Path) -> None:
    """PSNR over iterations, and beside it the residual's norm, relative to the estimate's; a line for each damage."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name, one in found.items():
        gains = [value - one["input"][0] for value, _ in one["estimates"]]
        left.plot(range(len(gains)), gains, marker="o", label=create(name).title)
        right.semilogy(range(1, len(gains)), one["updates"], marker="o", label=create(name).title)
    left.set(xlabel="iterations of G after F", ylabel="PSNR gained over the input, dB")
    right.set(xlabel="iteration", ylabel="residual norm ||x - G(x)|| / ||x||, median")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(words: Sequence[str] | None = None) -> None:
    """Measures, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="of a Golf Optimizer, as unblemish train writes them")
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--with", dest="damage", nargs="+", default=["motion_blur", "camera_shake", "rotating_shake"])
    parser.add_argument("--iterations", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    chosen = parser.parse_args(words)
    began = time.perf_counter()
    network = load_described(chosen.weights).eval()
    if not isinstance(network, IterativeNetwork):
        raise UserError(f"{chosen.weights}: holds a network that does not iterate; give a Golf Optimizer's")
    sets = {
        name: DegradedFolder(chosen.photographs, create(name), sampled=True, seed=chosen.seed, limit=chosen.limit)
        for name in chosen.damage
    }
    found = {name: measure(network, cases, chosen.iterations) for name, cases in sets.items()}
    command = ["python", "recipes/golf_iterations.py", *(words or sys.argv[1:])]
    result = {
        "provenance": provenance(command, [chosen.seed], time.perf_counter() - began),
        "protocol": str(preset("rgb").on(next(iter(sets.values())).source)),
        "seconds": seconds(network, chosen.iterations), "side": SIDE, "threads": torch.get_num_threads(),
        "megabytes": {
            name: part.parameter_count * 4 / 2**20
            for name, part in (("F", network.get_submodule("first")), ("G", network.get_submodule("corrector")))
        },
        "damage": found,
    }  # fmt: skip
    write_result(chosen.output, result)
    if chosen.figure:
        draw(found, chosen.figure)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
