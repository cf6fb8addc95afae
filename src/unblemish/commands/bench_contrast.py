"""`unblemish bench contrast`: what a contrastive loss costs a training."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import options
from unblemish.commands.extras import needs_extra

if TYPE_CHECKING:
    from unblemish.contrast.cost import Cost
    from unblemish.training.recipe import Recipe
    from unblemish.training.task import Batch

_METHODS = ("spn", "cr", "pcl")
"""What is measured where the recipe has no contrastive loss: all that need no given negatives."""


def contrast(
    recipe: Annotated[Path, typer.Argument(help="YAML file, such as recipes/edsr_light.yaml.")],
    overrides: options.Overrides = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed steps of each; medians are reported.")] = 7,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write JSON.")] = None,
) -> None:
    """Time a training step with and without a contrastive loss, on the CPU.

    The recipe's own loss is measured, or spn, cr and pcl with their defaults where it has none.
    """
    from unblemish.commands import bench_tables

    with needs_extra("train"):
        from unblemish.contrast.cost import measure_cost
        from unblemish.contrast.task import ContrastTask
        from unblemish.evaluation.provenance import provenance, write_result
        from unblemish.restoration.methods import build_task
        from unblemish.training.learner import lay_channels_last
        from unblemish.training.recipe import Recipe

    started = time.monotonic()
    words = overrides or []
    plain = Recipe.load(recipe, words)
    recipes = [plain] if plain.contrast else [Recipe.load(recipe, [*words, f"contrast.method={m}"]) for m in _METHODS]
    batch = _batch(plain)
    found: dict[str, tuple[Cost, dict[str, object]]] = {}
    for one in recipes:
        task = build_task(one)
        assert isinstance(task, ContrastTask)
        assert one.contrast
        lay_channels_last(task)
        cost = measure_cost(task, batch, bfloat16=one.precision == "bf16-mixed", repeats=repeats)
        found[one.contrast.method] = (cost, task.facts()["contrast"])
    typer.echo(bench_tables.contrast_table({name: cost for name, (cost, _) in found.items()}))
    if output:
        methods = {name: {**asdict(cost), **facts} for name, (cost, facts) in found.items()}
        origin = provenance(["unblemish", *sys.argv[1:]], [plain.seed], time.monotonic() - started)
        content = {"recipe": plain.model_dump(mode="json"), "repeats": repeats, "methods": methods}
        write_result(output, content | {"provenance": origin})


def _batch(recipe: Recipe) -> Batch:
    """One batch as the recipe's first step would see it, but for the patches that are drawn."""
    import torch

    from unblemish.training.batches import draw_batch
    from unblemish.training.data import PatchSource
    from unblemish.training.division import find_sources
    from unblemish.training.synthesis import Synthesis

    sources = find_sources(recipe, recipe.data.folder)[: recipe.batch]
    source = PatchSource(sources, patch=recipe.data.patch, scales=(1.0,), memory=0, gray=recipe.data.gray)
    return draw_batch(recipe, source, Synthesis.of(recipe.degradations), recipe.seed, torch.device("cpu"))
