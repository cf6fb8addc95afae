"""`unblemish grow`: a bundle learns new damage and keeps what it knows, without the pictures it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import options
from unblemish.commands.built_bundle import closing_lines, group_lines, listener, size_line
from unblemish.commands.extras import needs_extra

if TYPE_CHECKING:
    from unblemish.restoration.bundle import Bundle

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...", help="Changes to the recipe, such as lifelong.ratio=1e-4."),
]
Degradations = Annotated[
    list[str],
    typer.Option(
        "--degradation",
        help="What is to be learnt, of `unblemish degrade --list`; again for more in the same group, which is called "
        "after the first. With --pairs any new name.",
    ),
]
Pairs = Annotated[
    tuple[Path, Path] | None,
    typer.Option(metavar="DAMAGED CLEAN", help="Two folders side by side, in place of --data and made damage."),
]


def grow(
    bundle: Annotated[Path, typer.Argument(help="The bundle, folder or packed file, or 'default'; it is not changed.")],
    degradation: Degradations,
    out: Annotated[Path, typer.Option("--out", "-o", help="The grown bundle, one file.")],
    overrides: Overrides = None,
    data: Annotated[Path | None, typer.Option(help="Folder of clean photographs; some dozens at least.")] = None,
    pairs: Pairs = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="The damage of --pairs is never in a part of a picture: faded colours.")
    ] = False,
    runs: Annotated[
        Path | None, typer.Option(help="Folder for what the steps leave; by default --out and '.runs'.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of the joint training; else the recipe's, or 3000.")] = None,
    warmup: Annotated[int, typer.Option(min=1, help="Steps before, in which new parts learn alone.")] = 800,
    replay_steps: Annotated[int, typer.Option(min=1, help="Of the generator that lets the bundle grow again.")] = 2000,
    tolerance: Annotated[float, typer.Option(min=0, help="Loss in dB that old damage may suffer.")] = 0.1,
    recipe: Annotated[Path | None, typer.Option(help="How to train, a YAML file of lifelong.stage grow.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of what is learnt, for the cards.")] = None,
    accelerator: options.Accelerator = "auto",
) -> None:
    """Grow a bundle: its network learns new damage on clean photographs or pairs, and forgets nothing it knows.

    No picture of the old damage is needed: generators in the bundle replay it. A network that forgets all the same is
    refused. Ctrl-C saves the training that runs; the same command goes on from there. Exit status 130 says so.
    """
    with needs_extra("train"):
        from unblemish.restoration.group_training import BuildStoppedError
        from unblemish.restoration.single_growth import grow as carry_out

    try:
        grown = carry_out(
            bundle,
            degradation,
            out,
            data=data,
            pairs=pairs,
            everywhere=everywhere,
            runs=runs,
            recipe=recipe,
            overrides=overrides or [],
            steps=steps,
            warmup=warmup,
            replay_steps=replay_steps,
            tolerance=tolerance,
            licence=licence,
            accelerator=accelerator,
            listener=listener(),
        )
    except BuildStoppedError as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(130) from None
    typer.echo(_report(grown, tolerance))


def _report(bundle: Bundle, tolerance: float) -> str:
    """Gain of the new group, what the old tasks have kept, scores of the examiner, and what to do next."""
    from unblemish.restoration.grown_cards import AFTER, BEFORE

    new = bundle.groups[-1]
    lines = [size_line(bundle), *group_lines(bundle, [new]), "", f"PSNR: {bundle.entry(new.network).protocol}."]
    lines += ["", f"What it knew, on replayed pictures (at most {tolerance:g} dB may be lost):"]
    kept = [(entry.name, entry.scores) for entry in bundle.manifest.networks if AFTER in entry.scores]
    width = max(len(name) for name, _ in kept)
    for name, scores in kept:
        before, after = scores[BEFORE], scores[AFTER]
        lines.append(f"  {name:{width}}  {before:6.2f} dB before, {after:6.2f} dB after ({after - before:+.3f})")
    return "\n".join([*lines, *closing_lines(bundle)])
