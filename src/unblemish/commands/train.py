"""`unblemish train`: a recipe on a folder of clean pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from unblemish.commands import options
from unblemish.commands.extras import needs_extra


def train(
    recipe: Annotated[Path, typer.Argument(help="YAML file, such as recipes/mix_nafnet_compact.yaml.")],
    overrides: options.Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; by default runs/ and the recipe's name."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
    devices: Annotated[str, typer.Option(help="Number of devices, or 'auto' for all of them.")] = "1",
    accelerator: options.Accelerator = "auto",
) -> None:
    """Train a network on a folder of clean pictures, as a recipe says.

    Ctrl-C saves first; a second one ends at once. Exit status 130 says that the training was stopped so.
    """
    from unblemish.commands.console import TrainingProgress

    with needs_extra("train"):
        from unblemish.restoration.methods import build_task
        from unblemish.training.recipe import Recipe
        from unblemish.training.run import train as run

    loaded = Recipe.load(recipe, overrides)
    result = run(
        loaded,
        output or Path("runs") / recipe.stem,
        build=build_task,
        resume=resume,
        devices=int(devices) if devices.isdigit() else devices,
        accelerator=accelerator,
        callbacks=[TrainingProgress()],
        command=["unblemish", *sys.argv[1:]],
    )
    if result.step < result.steps:
        raise typer.Exit(130)
