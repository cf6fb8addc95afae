"""`unblemish group build`: from a folder of clean photographs to a bundle of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import options
from unblemish.commands.built_bundle import closing_lines, group_lines, listener, size_line
from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.restoration.building import Descriptor
    from unblemish.restoration.bundle import Bundle

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...", help="Changes to the recipe, such as optimiser.rate=1e-3."),
]
DescriptorWeights = Annotated[
    Path | None, typer.Option(help="Weights of an srresnet_x4_compact, in place of the bundle's descriptor.")
]


def build(
    data: Annotated[Path, typer.Option(help="Folder of clean photographs; some dozens at least, better hundreds.")],
    degradations: Annotated[str, typer.Option(help="Names joined by commas, as `unblemish degrade --list` shows.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The bundle, one file.")],
    overrides: Overrides = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder for what the steps leave; by default the bundle's name and '.runs'.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="How to train, a YAML file; else a compact NAFNet.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Gives the descriptor, and weights to start from; else the default bundle.")
    ] = None,
    descriptor: DescriptorWeights = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of each group's network; else the recipe's, or 7000.")
    ] = None,
    budget: Annotated[int, typer.Option(min=1, help="Steps of each candidate of the search.")] = 1000,
    threshold: Annotated[float, typer.Option(min=0, help="Largest loss in dB against a network of its own.")] = 0.7,
    patches: Annotated[
        int | None, typer.Option(min=2, help="Clean patches of the similarity; else 20 a photograph, 800 at most.")
    ] = None,
    reduction: Annotated[int, typer.Option(min=1, help="Shrink photographs by this before patches are cut.")] = 2,
    licence: Annotated[str | None, typer.Option(help="Of the new networks, for their cards.")] = None,
    accelerator: options.Accelerator = "auto",
) -> None:
    """Build your own bundle: similarity, grouping search, training and calibration on a folder of photographs.

    Ctrl-C saves the training that runs; the same command goes on from there. Exit status 130 says so.
    """
    with needs_extra("train"):
        from unblemish.grouping.errors import SearchStoppedError
        from unblemish.restoration.building import build as carry_out
        from unblemish.restoration.building_recipe import LICENCE, STEPS, Plan, base_recipe, start_from, write_default
        from unblemish.restoration.bundle import Bundle
        from unblemish.restoration.group_training import BuildStoppedError

    names = [word.strip() for word in degradations.split(",") if word.strip()]
    if not names:
        raise UserError("no degradation is named; join names by commas, such as jpeg,gaussian_noise")
    folder = runs or out.with_name(f"{out.name}.runs")
    given = Bundle.load(bundle)
    describing = _descriptor(given, descriptor)
    folder.mkdir(parents=True, exist_ok=True)
    if recipe is None:
        write_default(folder / "recipe.yaml", data, steps or STEPS, budget)
    trained = base_recipe(recipe or folder / "recipe.yaml", data, names, steps, overrides or [])
    origin = ""
    if recipe is None:  # a recipe of the user's own says itself where to start
        trained, origin = start_from(trained, given, folder / "start.safetensors")
    plan = Plan(trained, budget, threshold, patches, reduction, licence or LICENCE, origin, accelerator)
    try:
        built = carry_out(plan, describing, out, folder, listener())
    except (SearchStoppedError, BuildStoppedError) as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(130) from None
    typer.echo(_report(built))


def _descriptor(bundle: Bundle, weights: Path | None) -> Descriptor:
    from unblemish.restoration.building import descriptor_from, descriptor_of

    return descriptor_of(bundle) if weights is None else descriptor_from(weights)


def _report(bundle: Bundle) -> str:
    """Groups with the scores of their networks, scores of the examiner, and what to do next."""
    protocol = f"PSNR: {bundle.entry().protocol}."
    lines = [size_line(bundle), *group_lines(bundle, bundle.groups), "", protocol, *closing_lines(bundle)]
    return "\n".join(lines)
