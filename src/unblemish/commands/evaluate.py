"""`unblemish evaluate`: scores with their protocol."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from unblemish.evaluation.cases import CaseSet
    from unblemish.evaluation.scoring import Method
    from unblemish.restoration.restorer import Restorer

ELEVEN = "grids"
"""Word that stands for the eleven degradations of GRIDS."""


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Clean pictures; or pairs in subfolders such as hazy and clear.")],
    degradations: Annotated[
        list[str] | None,
        typer.Option(
            "--with", help="Damage, such as jpeg or gaussian_noise:sigma=25; 'clean' for none; 'grids' for the eleven."
        ),
    ] = None,
    sampled: Annotated[bool, typer.Option(help="Draw parameters from the published ranges.")] = False,
    seed: Annotated[int, typer.Option(help="Of the damage.")] = 0,
    limit: Annotated[int | None, typer.Option(help="Only the first so many pictures.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; by default the one that ships.")] = None,
    networks: Annotated[
        list[str] | None, typer.Option("--network", help="Networks of the bundle; its default one if not given.")
    ] = None,
    classical: Annotated[
        list[str] | None, typer.Option(help="Classical tools to compare with, such as bm3d, median; 'all'.")
    ] = None,
    protocols: Annotated[list[str] | None, typer.Option("--protocol", help="rgb, y, y_crop4, lira.")] = None,
    metrics: Annotated[list[str] | None, typer.Option("--metric", help="psnr, ssim, lpips ...")] = None,
    alexnet: Annotated[Path | None, typer.Option(help="AlexNet weights for lpips.")] = None,
    output: Annotated[
        list[Path] | None, typer.Option("--output", "-o", help="Also write .json, .csv or .md; may be repeated.")
    ] = None,
    contact_sheet: Annotated[Path | None, typer.Option(help="Also write a picture of samples, one row a damage.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16.")] = "auto",
) -> None:
    """Score networks on a folder and print a table with its protocol."""
    from unblemish.commands.console import progress_bar
    from unblemish.commands.extras import needs_extra

    with needs_extra("train"):
        from unblemish.evaluation.metrics import create_metric
        from unblemish.evaluation.protocol import preset
        from unblemish.evaluation.scoring import score
        from unblemish.evaluation.tables import to_markdown
    from unblemish.restoration.restorer import Restorer

    started = time.monotonic()
    restorers = [
        Restorer(bundle, network=name, device=device, precision=precision) for name in (networks or [None])
    ]
    sets = case_sets(folder, degradations or [], sampled=sampled, seed=seed, limit=limit)
    methods = [as_method(restorer) for restorer in restorers] + classical_methods(classical or [])
    with progress_bar() as progress:
        bar = progress.add_task("evaluate")
        table = score(
            methods,
            sets,
            [preset(name) for name in (protocols or ["rgb"])],
            [create_metric(name, alexnet) for name in (metrics or ["psnr", "ssim"])],
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    typer.echo(to_markdown(table), nl=False)
    for path in output or []:
        _write(table, path, seed, time.monotonic() - started)
    if contact_sheet:
        _write_sheet(sets, methods, contact_sheet)
    if table.failures:
        raise typer.Exit(1)


def case_sets(
    folder: Path, degradations: list[str], *, sampled: bool, seed: int, limit: int | None
) -> list[CaseSet]:
    """What is scored: pairs where no damage is named, else the folder's pictures with each damage."""
    from unblemish.degradations.catalogue import GRIDS_ELEVEN
    from unblemish.degradations.parsing import parse
    from unblemish.evaluation.cases import CLEAN, DegradedFolder, PairedFolder

    if not degradations:
        return [PairedFolder.below(folder, limit=limit)]
    words = [word for text in degradations for word in (GRIDS_ELEVEN if text == ELEVEN else (text,))]
    sets: list[CaseSet] = []
    for word in words:
        degradation, values = (None, {}) if word == CLEAN else parse(word)
        drawn = sampled and not values and degradation is not None
        sets.append(DegradedFolder(folder, degradation, values=values, sampled=drawn, seed=seed, limit=limit))
    return sets


def as_method(restorer: Restorer) -> Method:
    """A network as a method, along the path that pictures take."""
    from unblemish.evaluation.scoring import Method

    precision = str(restorer.engine.dtype).removeprefix("torch.")
    return Method(restorer.name, restorer.restore_tensor, precision=precision)


def classical_methods(words: list[str]) -> list[Method]:
    """The named classical tools; 'all' for every one."""
    from unblemish.evaluation.classical import classical_names, create_classical

    names = classical_names() if "all" in words else words
    return [create_classical(name) for name in names]


def _write(table, path: Path, seed: int, seconds: float) -> None:  # noqa: ANN001
    from unblemish.errors import UserError
    from unblemish.evaluation.provenance import provenance, write_result
    from unblemish.evaluation.tables import to_csv, to_markdown

    if path.suffix == ".json":
        command = ["unblemish", *sys.argv[1:]]
        write_result(path, {"provenance": provenance(command, [seed], seconds), "table": table.to_dict()})
    elif path.suffix in (".csv", ".md"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_csv(table) if path.suffix == ".csv" else to_markdown(table), encoding="utf-8")
    else:
        raise UserError(f"{path}: tables are written as .json, .csv or .md; choose one of these endings")


def _write_sheet(sets: list[CaseSet], methods: list[Method], path: Path) -> None:
    from unblemish.evaluation.contact_sheets import contact_sheet, save_sheet, sheet_rows

    columns, rows = sheet_rows(sets, methods)
    save_sheet(contact_sheet(columns, rows), path)
