"""Compares shapes of a compact network at equal steps on equal patches: how fast each learns, trains and restores.

    python recipes/choose_compact.py PHOTOS -o results/choose_compact.json

Every candidate sees the very same patches with the same damage (they follow from seed and step), so that mean losses
differ by the network alone. The best network for a CPU is the one that loses least for the seconds it takes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from unblemish.evaluation.provenance import provenance, write_result
from unblemish.networks.catalogue import create
from unblemish.restoration.restorer import Restorer
from unblemish.training.callbacks import Callback
from unblemish.training.recipe import Recipe
from unblemish.training.run import train

RECIPE = Path(__file__).with_name("mix_nafnet_compact.yaml")
CANDIDATES: tuple[tuple[str, dict[str, int]], ...] = (
    ("nafnet_compact", {}),
    ("nafnet_compact", {"width": 32, "levels": 3}),
    ("nafnet_compact", {"levels": 1, "blocks": 3, "middle": 6}),
    ("nafnet_compact", {"width": 64}),
    ("srresnet_compact", {}),
    ("srresnet_compact", {"width": 64, "blocks": 10}),
)
SIDE = 768
"""Of the picture that is restored for the speed, pixels."""


class Trace(Callback):
    """Loss and time of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.times: list[float] = []

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """Notes both."""
        self.losses.append(terms["loss"])
        self.times.append(time.perf_counter())


def measure(photos: Path, name: str, options: dict[str, int], steps: int) -> dict[str, Any]:
    """One row: the mean loss of the last third, and the median seconds of a step."""
    overrides = [f"data.folder={photos}", f"steps={steps}", f"network.name={name}", f"network.options={options}"]
    quick = ["validation.pictures=4", f"validation.every={steps}", f"optimiser.warmup={steps // 10}"]
    recipe, trace = Recipe.load(RECIPE, [*overrides, *quick]), Trace()
    with tempfile.TemporaryDirectory() as folder:
        result = train(recipe, Path(folder) / "run", callbacks=[trace])
    pauses = [after - before for before, after in zip(trace.times, trace.times[1:], strict=False)]
    network = create(name, options)
    return {
        "network": name,
        "options": options,
        "parameters": network.parameter_count,
        "receptive_field": network.receptive_field,
        "loss": statistics.fmean(trace.losses[-(steps // 3) :]),
        "validation_gain": result.best_gain,
        "seconds_a_step": statistics.median(pauses),
    }


def add_speeds(rows: list[dict[str, Any]], repeats: int = 5) -> None:
    """Megapixels a second of each candidate on the default path, medians of interleaved runs."""
    restorers = [Restorer(network=create(row["network"], row["options"]).eval()) for row in rows]
    picture = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    times: list[list[float]] = [[] for _ in rows]
    for _ in range(repeats + 1):
        for restorer, taken in zip(restorers, times, strict=True):
            start = time.perf_counter()
            restorer.restore_tensor(picture)
            taken.append(time.perf_counter() - start)
    for row, taken in zip(rows, times, strict=True):
        row["megapixels_a_second"] = SIDE**2 / 1e6 / statistics.median(taken[1:])


def main() -> None:
    """Reads the command line, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began = time.perf_counter()
    rows = [measure(arguments.photos, name, options, arguments.steps) for name, options in CANDIDATES]
    add_speeds(rows)
    origin = provenance(["python", *sys.argv], [Recipe.load(RECIPE).seed], time.perf_counter() - began)
    write_result(arguments.output, {"provenance": origin, "steps": arguments.steps, "candidates": rows})


if __name__ == "__main__":
    main()
