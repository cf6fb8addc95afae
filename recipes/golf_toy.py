"""Trains the two-pixel priors of the Golf Optimizer's appendix: a classifier's gradient against a learnt gradient.

    python recipes/golf_toy.py -o results/golf_toy.json --figure docs/images/golf_toy.png

Each prior takes one step u' = u - grad p(u) from 1,000 blurry pictures; the result holds how far from the sharp ones it
ends, with every seed and in the median. `unblemish.deconvolution.two_pixels` says what the paper leaves open, and how
it was read. Takes about 5 seconds a seed on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from golf_toy_figure import save_figure

from unblemish.deconvolution.two_pixels import (
    BATCH,
    RATE,
    READINGS,
    SAMPLES,
    TESTED,
    Field,
    accuracy,
    analytic_prior,
    blurry,
    descent,
    discriminative_prior,
    draw,
    integrated,
    lengths_by_distance,
    score_step,
    square_grid,
    train_classifier,
    train_descent,
)
from unblemish.errors import UserError
from unblemish.evaluation.curves import check_ending
from unblemish.evaluation.provenance import provenance, write_result

PUBLISHED = {"accuracy": 0.99, "logit": 0.4849, "learned": 2e-3}
"""The paper's numbers; the last two are of ||u~ - u'||^2, called MSE."""

GRID = 41
"""Side of the grid that learnt gradients are integrated on."""

TEST_SEED = 1_000_000
"""Added to a seed, for pictures that were not trained on."""


def steps_of(seed: int, samples: int) -> tuple[torch.nn.Module, dict[str, Field]]:
    """The classifier of a seed, and each prior's step as a function of pictures, by name.

    "none" stays, "plane" goes a constant way towards the sharp side, and "analytic" is the exact solution.
    """
    classifier = train_classifier(seed, samples)
    priors = {name: discriminative_prior(classifier, name) for name in READINGS}
    priors |= {"plane": lambda u: -u.sum(-1), "analytic": analytic_prior}
    steps: dict[str, Field] = {"none": torch.zeros_like}
    steps |= {name: lambda u, prior=prior: descent(prior, u) for name, prior in priors.items()}
    steps |= {
        "learned": train_descent(seed, "blurry", samples),
        "learned_square": train_descent(seed, "square", samples),
    }
    return classifier, steps


def measure(seed: int, classifier: torch.nn.Module, steps: Mapping[str, Field]) -> dict[str, Any]:
    """Everything that is measured of one seed: see the result's "meaning"."""
    generator = torch.Generator().manual_seed(TEST_SEED + seed)
    everywhere, u = draw(TESTED, "square", generator), draw(TESTED, "blurry", generator)
    found: dict[str, Any] = {"seed": seed, "accuracy": accuracy(classifier, everywhere), "priors": {}}
    for name, step in steps.items():
        taken = step(u).detach()
        found["priors"][name] = asdict(score_step(u, taken)) | {"lengths": lengths_by_distance(u, taken)}
    with torch.no_grad():
        found["learned_square_everywhere"] = score_step(everywhere, steps["learned_square"](everywhere)).total
    found["surfaces"] = {name: surface_errors(steps[name]) for name in ("learned", "learned_square")}
    return found


def surface_errors(step: Field) -> dict[str, float]:
    """How far the integrated prior is from the analytic one, and how much of the field no prior has as its gradient."""
    surface, rest = integrate(step)
    grid = square_grid(GRID)
    errors = {}
    for where, part in (("blurry", blurry(grid)), ("square", torch.ones(GRID, GRID, dtype=torch.bool))):
        difference = (surface - analytic_prior(grid))[part]
        errors[f"rmse_{where}"] = difference.std(correction=0).item()  # a prior's height means nothing
    return errors | {"not_integrable": rest}


def integrate(step: Field) -> tuple[torch.Tensor, float]:
    """The learnt prior `(GRID, GRID)`, see `two_pixels.integrated`."""
    with torch.no_grad():
        return integrated(-step(square_grid(GRID).float()))


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median, lowest and highest of every number over the seeds; lists and the seeds themselves are left out."""
    found: dict[str, Any] = {}
    for key, value in rows[0].items():
        if isinstance(value, Mapping):
            found[key] = summary([row[key] for row in rows])
        elif key != "seed" and not isinstance(value, list):
            values = [row[key] for row in rows]
            found[key] = {"median": median(values), "lowest": min(values), "highest": max(values)}
    return found


MEANING = {
    "accuracy": "of the classifier on 1,000 pictures of the square",
    "total": "mean over 1,000 blurry pictures of ||u~ - u'||^2, summed over both pixels",
    "pixel": "the same as a mean over both pixels",
    "best_scale, best_total": "the factor of the step that is best on the same pictures, and the total with it",
    "lengths": "mean length of the step where -(u1 + u2) is in 0-0.5, 0.5-1, 1-1.5, 1.5-2; right: 0.35 to 2.5, rising",
    "softmax, logit, logit_difference": "prior: probability of 'blurry', its logit, its logit less that of 'sharp'",
    "learned": "step trained on blurry pictures",
    "learned_square": "step trained on the whole square; learned_square_everywhere is its total there",
    "none, plane, analytic": "no step; the step (1, 1) everywhere; the exact solution",
    "rmse_blurry, rmse_square": "integrated prior against the analytic one, without their means",
    "not_integrable": "share of the learnt field that is no surface's gradient, root of energies",
}


def main(words: Sequence[str] | None = None) -> None:
    """Trains, measures, writes and draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG to draw the first seed's priors into")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="trained on, a multiple of 4; the paper has 16000")
    chosen = parser.parse_args(words)
    if chosen.seeds < 1 or chosen.samples < BATCH or chosen.samples % BATCH:
        parser.error(f"give --seeds from 1, and --samples that are a multiple of {BATCH}")
    if chosen.figure:
        check_ending(chosen.figure)
    began = time.monotonic()
    rows, first = [], None
    for seed in range(chosen.seeds):
        classifier, steps = steps_of(seed, chosen.samples)
        first = first or (classifier, steps)
        rows.append(measure(seed, classifier, steps))
    settings = {"samples": chosen.samples, "batch": BATCH, "rate": RATE, "tested": TESTED, "grid": GRID}
    command = ["python", "recipes/golf_toy.py", *(words or sys.argv[1:])]
    origin = provenance(command, list(range(chosen.seeds)), time.monotonic() - began)
    content = {"settings": settings, "meaning": MEANING, "published": PUBLISHED, "summary": summary(rows)}
    write_result(chosen.output, {"provenance": origin, **content, "runs": rows})
    if chosen.figure and first:
        save_figure(
            *first, {name: integrate(first[1][name])[0] for name in ("learned", "learned_square")}, chosen.figure
        )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
