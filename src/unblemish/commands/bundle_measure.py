"""`unblemish bundle measure`: how well a bundle chooses, foretells and treats, where the damage is known."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import options

if TYPE_CHECKING:
    from unblemish.restoration.trial import Trial


def measure(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Clean pictures, none of them trained on.")],
    degradations: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NAME[:PARAMETER=VALUE,...]",
            help="Damage, as `evaluate` takes it; by default all of the catalogue but blends of no group, and none.",
        ),
    ] = None,
    bundle: options.BundleFolder = None,
    seed: Annotated[int, typer.Option(help="Of the damage.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pictures.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write JSON.")] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Damage clean pictures, examine and restore them, and print a confusion matrix and what came of it.

    Parameters are drawn from the published ranges. Damage that is in no group of the bundle counts as unknown.
    """
    from unblemish.commands.console import progress_bar
    from unblemish.commands.evaluate import case_sets
    from unblemish.evaluation.provenance import provenance, write_result
    from unblemish.restoration.bundle import Bundle
    from unblemish.restoration.restorer import Restorer
    from unblemish.restoration.trial import damage_for, run_trial

    started = time.monotonic()
    loaded = Bundle.load(bundle)
    loaded.descriptor()  # says at once if the bundle cannot examine
    sets = case_sets(folder, degradations or damage_for(loaded.groups), sampled=True, seed=seed, limit=limit)
    restorer = Restorer(loaded, device=device, precision=precision)
    with progress_bar() as progress:
        bar = progress.add_task("measure", total=sum(map(len, sets)))
        trial = run_trial(restorer, sets, lambda done, _: progress.update(bar, completed=done))
    typer.echo(_report(trial))
    if output:
        record = provenance(["unblemish", *sys.argv[1:]], [seed], time.monotonic() - started)
        write_result(output, {"trial": trial.to_dict(), "provenance": record})
    if trial.failures:
        raise typer.Exit(1)


def _report(trial: Trial) -> str:
    """The confusion matrix, gains and figures, for people to read."""
    confusion, gains = trial.confusion(), trial.gains()
    columns = list(next(iter(confusion.values()))) if confusion else []
    width = max(map(len, [*columns, "gain, dB"])) + 2
    first = max([22, *(len(kind) + 2 for kind in confusion)])
    lines = [f"{'damage':<{first}}" + "".join(f"{name:>{width}}" for name in (*columns, "gain, dB"))]
    for kind, row in confusion.items():
        gain = f"{gains[kind]:+.2f}" if kind in gains else ""
        counts = "".join(f"{row[name] or '·':>{width}}" for name in columns)
        lines.append(f"{kind:<{first}}{counts}{gain:>{width}}")
    lines += ["", *(f"{name.replace('_', ' ')}: {value:.4g}" for name, value in trial.figures().items())]
    return "\n".join([*lines, *trial.failures, f"PSNR: {trial.protocol}"])
