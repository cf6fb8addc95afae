r"""Measures where contrastive terms pull at the end of trainings: how hard, and whether the reconstruction loss agrees.

    python recipes/contrast_gradients.py runs/super_resolution/spn_seed0 ... -o results/contrast_gradients.json

Each RUN is a folder of `unblemish train` or `compare` whose recipe has a contrastive loss. Its network and negatives
are taken from `last.ckpt`; gradients are compared on batches that the training would have seen next, and averaged.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import torch
from lightning_fabric import Fabric

from unblemish.contrast.gradients import measure_pull
from unblemish.contrast.task import ContrastTask
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.restoration.methods import build_task
from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.division import load_data
from unblemish.training.fit import LAST
from unblemish.training.learner import lay_channels_last
from unblemish.training.recipe import Recipe
from unblemish.training.synthesis import Synthesis


def pull(run: Path, batches: int) -> dict[str, float]:
    """Means over `batches` of what `measure_pull` finds, in the precision of the training, with the step."""
    state = Checkpoint.load(run / LAST)
    recipe = Recipe.parse(state.recipe, str(run / LAST))
    task = build_task(recipe, use_start=False)
    if not isinstance(task, ContrastTask):
        raise SystemExit(f"{run}: was trained without a contrastive loss; give runs that have one")
    lay_channels_last(task)
    task.load_state_dict(state.task)
    task.train()
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    synthesis = Synthesis.of(recipe.degradations)
    source, _ = load_data(recipe)
    found = []
    for number in range(1, batches + 1):
        seed = step_seed(recipe.seed, fabric.global_rank, state.step + number)
        batch = draw_batch(recipe, source, synthesis, seed, fabric.device)
        with fabric.autocast():
            found.append(asdict(measure_pull(task, batch)))
    return {key: fmean(row[key] for row in found) for key in found[0]} | {"step": state.step}


def main() -> None:
    """Reads the command line, measures, writes."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began = time.monotonic()
    torch.manual_seed(0)
    found = {"/".join(run.parts[-2:]): pull(run, arguments.batches) for run in arguments.runs}
    origin = provenance(["python", *sys.argv], [0], time.monotonic() - began)
    write_result(arguments.output, {"provenance": origin, "batches": arguments.batches, "runs": found})


if __name__ == "__main__":
    main()
