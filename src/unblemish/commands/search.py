"""`unblemish search`: an architecture found by a differentiable search, and compared with others."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unblemish.commands import options, study_runs
from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.architecture_search.outcome import Outcome
    from unblemish.architecture_search.report import Comparison
    from unblemish.studies.scores import ScoredSet
    from unblemish.studies.study import StudyRun
    from unblemish.training.recipe import Recipe

_METRICS = ("psnr", "ssim")


def search(
    recipe: Annotated[Path, typer.Argument(help="YAML file of a recipe with a part 'search'.")],
    overrides: options.Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the search; by default runs/ and the recipe's name."),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also train what was found and others of the space, at equal budgets.")
    ] = False,
    score: Annotated[
        list[str] | None,
        typer.Option(
            "--score",
            metavar="NAME=FOLDER",
            help="Pictures to score the trained networks on: clean ones, or pairs in subfolders. May be repeated.",
        ),
    ] = None,
    result: Annotated[Path | None, typer.Option(help="Write all that was found as JSON.")] = None,
    table: Annotated[Path | None, typer.Option(help="Write the printed tables as Markdown.")] = None,
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", help="Write what the trained networks make of the first pictures.")
    ] = None,
    accelerator: options.Accelerator = "auto",
) -> None:
    """Search an architecture as a recipe says (CLEARER), and write the recipe that trains it.

    Ctrl-C saves; the same command goes on from there, and repeats nothing that is finished. Exit status 130 says that
    it was stopped so.
    """
    with needs_extra("train"):
        from unblemish.architecture_search.outcome import Outcome, next_commands
        from unblemish.architecture_search.report import search_to_dict
        from unblemish.studies.study import StudyRun

    started = time.monotonic()
    _check_outputs(result, table, sheet, baselines, score or [])
    loaded, folder = _load(recipe, overrides or []), output or Path("runs") / recipe.stem
    run = StudyRun("search", loaded.seed, loaded, folder / "search")
    sets = _check(run, score or [], baselines)
    record = _carry_out(run, accelerator)
    outcome = Outcome.load(run.folder, loaded)
    outcome.write(folder)
    typer.echo(outcome.summary(folder))
    content, trained = search_to_dict(outcome, record), None
    if baselines:
        compared = _compare(outcome, folder, sets, accelerator)
        content |= compared.to_dict()
        trained = compared.result.of(compared.result.study.reference)[0].run.folder
        _print(compared, table, sheet)
    typer.echo(next_commands(folder, trained))
    if result:
        _write(result, content, loaded, overrides or [], time.monotonic() - started)


def _check_outputs(
    result: Path | None, table: Path | None, sheet: Path | None, baselines: bool, score: Sequence[str]
) -> None:
    """Complains of what could not be written, before the hours of training."""
    from unblemish.evaluation.contact_sheets import check_sheet_ending

    if (score or table or sheet) and not baselines:
        raise UserError("--score, --table and --contact-sheet are for trained networks; add --baselines to train them")
    study_runs.check_files((result, table, sheet))
    if sheet:
        check_sheet_ending(sheet)
        if not score:
            raise UserError(f"{sheet}: there is nothing to show without pictures; add --score NAME=FOLDER")


def _load(path: Path, overrides: list[str]) -> Recipe:
    """A recipe that searches."""
    from unblemish.training.recipe import Recipe
    from unblemish.training.search_part import SUPERNET

    loaded = Recipe.load(path, overrides)
    if loaded.search is None:
        raise UserError(
            f"{path}: has no part 'search'; add 'search: {{warmup: 1000}}' and network.name={SUPERNET}, or train it "
            "with `unblemish train`"
        )
    return loaded


def _check(run: StudyRun, words: Sequence[str], baselines: bool) -> list[ScoredSet]:
    """Complains of whatever can be known now, before hours are spent on the search; gives what is scored."""
    from unblemish.architecture_search.baselines import SEARCHED, check_baselines, columns_of, nth_architecture
    from unblemish.architecture_search.found import training_recipe
    from unblemish.restoration.methods import build_task
    from unblemish.studies.runs import finished, rehearse
    from unblemish.studies.study import StudyRun
    from unblemish.training.recipe import Recipe

    assert run.recipe.search
    counts = columns_of(run.recipe)
    if baselines:
        check_baselines(counts, run.recipe.search.baselines)
    # Any architecture of the space shows what would be wrong with the training of the found one.
    training = Recipe.parse(training_recipe(run.recipe, nth_architecture(counts, 0)), "the recipe of the training")
    if not finished(run):
        rehearse(StudyRun(SEARCHED, training.seed, training, run.folder), build_task)
    return study_runs.scored_sets(words, training, _protocols(training), _METRICS)


def _carry_out(run: StudyRun, accelerator: str) -> dict[str, Any]:
    """Searches, or does what is left of it; the record of the finished search."""
    from unblemish.commands.search_progress import SearchProgress
    from unblemish.restoration.methods import build_task
    from unblemish.studies.runs import carry_out, finished

    if not finished(run):
        progress = SearchProgress("the same command goes on")
        command = ["unblemish", *sys.argv[1:]]
        if not carry_out(run, build_task, accelerator=accelerator, callbacks=[progress], command=command):
            study_runs.stopped(run)
    record = finished(run)
    assert record
    return record


def _compare(outcome: Outcome, folder: Path, sets: Sequence[ScoredSet], accelerator: str) -> Comparison:
    """Trains the found architecture and others, and gathers what they are judged by."""
    from lightning_fabric import Fabric

    from unblemish.architecture_search.baselines import as_study, baselines
    from unblemish.architecture_search.outcome import TRAINING
    from unblemish.architecture_search.report import Comparison
    from unblemish.architecture_search.supernet_scores import kept_scores, supernet_scores
    from unblemish.studies.result import StudyResult
    from unblemish.studies.study import plan

    recipe, part = outcome.recipe, outcome.recipe.search
    assert part
    compared = baselines(outcome.found.architecture, part.baselines, recipe.seed)
    study = as_study(compared, folder / TRAINING, part, recipe.purpose, _protocols(recipe))
    planned = plan(study, folder / "trained")
    for run in planned:
        study_runs.train_and_score(run, sets, accelerator)
    architectures = list(compared.arms.values())
    device = Fabric(accelerator=accelerator, devices=1).device
    supernet = kept_scores(
        folder / "supernet_scores.json", outcome.folder, architectures,
        lambda recalibrated: supernet_scores(outcome.supernet, architectures, recipe, device, recalibrated),
    )  # fmt: skip
    return Comparison(outcome, compared, StudyResult.gather(study, planned, sets), supernet)


def _protocols(recipe: Recipe) -> tuple[str, ...]:
    """How pictures are compared: as the recipe's validation does, and gray ones as CLEARER's tables do, too."""
    return ("gray", "clearer") if recipe.data.gray else ("rgb",)


def _print(compared: Comparison, table: Path | None, sheet: Path | None) -> None:
    """Prints the tables, and writes them and the contact sheet where that is wanted."""
    from unblemish.architecture_search.tables import to_markdown
    from unblemish.evaluation.contact_sheets import save_sheet
    from unblemish.studies.sheet import study_sheet

    text = to_markdown(compared)
    typer.echo(f"\n{text}")
    if table:
        study_runs.write_text(table, text)
    if sheet:
        save_sheet(study_sheet(compared.result), sheet)


def _write(path: Path, content: dict[str, Any], recipe: Recipe, overrides: Sequence[str], seconds: float) -> None:
    """Writes the result with where it comes from."""
    from unblemish.evaluation.provenance import provenance, write_result

    assert recipe.search
    seeds = [recipe.seed, *(recipe.search.baselines.seeds if "study" in content else ())]
    origin = provenance(["unblemish", *sys.argv[1:]], list(dict.fromkeys(seeds)), seconds)
    write_result(path, {"provenance": origin, "overrides": list(overrides), **content})
