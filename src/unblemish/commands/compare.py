"""`unblemish compare`: arms of one recipe, trained at equal budgets and scored alike."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unblemish.commands import options, study_runs
from unblemish.commands.evaluate_options import Limit
from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.studies.result import StudyResult
    from unblemish.studies.scores import ScoredSet
    from unblemish.studies.study import StudyRun


def compare(
    study: Annotated[Path, typer.Argument(help="YAML file: a recipe, its arms, seeds, and how to score.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE...", help="Changes for all arms, such as data.folder=photos."),
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option(
            "--score",
            metavar="NAME=FOLDER",
            help="Pictures to score on: clean ones, or pairs in subfolders such as hazy and clear. May be repeated.",
        ),
    ] = None,
    limit: Limit = None,
    arms: Annotated[list[str] | None, typer.Option("--arm", help="Train only these arms; all by default.")] = None,
    seeds: Annotated[list[int] | None, typer.Option("--seed", help="Train only these seeds; all by default.")] = None,
    runs: Annotated[
        Path, typer.Option(help="Folder for the trainings; those found there go on, or are not repeated.")
    ] = Path("runs/study"),
    earlier: Annotated[
        list[Path] | None,
        typer.Option(help="JSON of this study: its runs count unless --runs holds them. May be repeated."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the result as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the validation curves as PNG.")] = None,
    table: Annotated[Path | None, typer.Option(help="Write the printed tables as Markdown.")] = None,
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", help="Write what the arms make of the first pictures.")
    ] = None,
    accelerator: options.Accelerator = "auto",
) -> None:
    """Train the arms of a study with every seed, score them, and print what they differ from the reference.

    The result covers all finished runs of the folder, whichever command trained them, and those of earlier results.
    Ctrl-C saves; the same command goes on from there. Exit status 130 says so.
    """
    with needs_extra("train"):
        from unblemish.studies.earlier import EarlierResult
        from unblemish.studies.result import StudyResult
        from unblemish.studies.runs import finished
        from unblemish.studies.study import Study, chosen, plan

    started = time.monotonic()
    _check_outputs(output, table, plot, sheet, bool(score))
    loaded = Study.load(study)
    planned = plan(loaded, runs, overrides or [])
    # Complains of whatever can be known now, before hours are spent on the first training.
    reference = next(run.recipe for run in planned if run.arm == loaded.reference)
    sets = study_runs.scored_sets(score or [], reference, loaded.protocols, loaded.metrics, loaded.scored, limit)
    told = [EarlierResult.load(path) for path in earlier or []]
    known = [one for result in told for one in result.runs(planned, sets)]
    here = [run for run in planned if finished(run)]
    elsewhere = [one.run for one in known if one.run not in here]
    _carry_out([run for run in chosen(planned, arms or [], seeds or []) if run not in elsewhere], sets, accelerator)
    result = StudyResult.gather(loaded, planned, sets, known)
    origins = [origin for one in told for origin in one.origins()]
    _write(result, {"overrides": overrides or [], "earlier": origins}, output, table, time.monotonic() - started)
    _draw(result, plot, sheet)


def _carry_out(runs: Sequence[StudyRun], sets: Sequence[ScoredSet], accelerator: str) -> None:
    """Rehearses a run of each arm that can be begun, then trains and scores all; what is done is not done again."""
    from unblemish.restoration.methods import build_task
    from unblemish.studies.runs import finished, follows, rehearse

    untrained = [run for run in runs if not finished(run)]
    for run in {run.arm: run for run in untrained if not follows(run, untrained)}.values():
        rehearse(run, build_task)
    for run in runs:
        study_runs.train_and_score(run, sets, accelerator)


def _check_outputs(
    output: Path | None, table: Path | None, plot: Path | None, sheet: Path | None, scored: bool
) -> None:
    """Complains of what could not be written, before the hours of training."""
    from unblemish.evaluation.contact_sheets import check_sheet_ending
    from unblemish.evaluation.curves import check_ending

    study_runs.check_files((output, table, plot, sheet))
    if plot:
        check_ending(plot)
    if sheet:
        check_sheet_ending(sheet)
        if not scored:
            raise UserError(f"{sheet}: there is nothing to show without pictures; add --score NAME=FOLDER")


def _write(
    result: StudyResult, made_of: Mapping[str, object], output: Path | None, table: Path | None, seconds: float
) -> None:
    """Prints the tables, and writes them and the whole result where that is wanted."""
    from unblemish.evaluation.provenance import provenance, write_result
    from unblemish.studies.table import to_markdown

    text = to_markdown(result)
    typer.echo(text, nl=False)
    if table:
        study_runs.write_text(table, text)
    if output:
        origin = provenance(["unblemish", *sys.argv[1:]], result.study.seeds, seconds)
        write_result(output, {"provenance": origin, **made_of, **result.to_dict()})


def _draw(result: StudyResult, plot: Path | None, sheet: Path | None) -> None:
    """Draws the curves and the contact sheet where they are wanted."""
    from unblemish.evaluation.contact_sheets import save_sheet
    from unblemish.evaluation.curves import save_curves
    from unblemish.studies.sheet import study_sheet

    if sheet:
        save_sheet(study_sheet(result), sheet)
    if plot:
        save_curves(result.curves(), result.study.reference, plot, result.study.purpose)
