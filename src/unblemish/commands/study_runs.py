"""What commands that train the runs of a study share: what they score on, and how a run goes on."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.studies.scores import ScoredSet
    from unblemish.studies.study import StudyRun
    from unblemish.training.recipe import Recipe


def scored_sets(
    words: Sequence[str],
    recipe: Recipe,
    protocols: Sequence[str],
    metrics: Sequence[str],
    damages: Collection[str] = (),
    limit: int | None = None,
) -> list[ScoredSet]:
    """What all arms are scored on: the folders of NAME=FOLDER words, damaged by the given degradations.

    Those of the reference's recipe stand in where none is given; a limit leaves the first so many pictures of each.

    Raises:
        UserError: A word is of another form, two have one name, or a folder is not what it must be.
    """
    from unblemish.evaluation.metrics import create_metric
    from unblemish.evaluation.protocol import preset
    from unblemish.evaluation.scoring import why_unscorable
    from unblemish.studies.scores import scored_set

    ways = [preset(name) for name in protocols], [create_metric(name) for name in metrics]
    data, damage = recipe.data, recipe.degradations
    damage = damage.model_copy(update={"names": tuple(damages)}) if damages else damage
    sets = [scored_set(word, damage, *ways, gray=data.gray, pairs=data.pairs, limit=limit) for word in words]
    if len({one.name for one in sets}) < len(sets):
        raise UserError(f"two sets have one name: {', '.join(one.name for one in sets)}; rename one of --score")
    for one in sets:
        if problem := why_unscorable(one.cases[0], *ways):
            raise UserError(f"--score {one.name}: none of its pictures can be scored; the first reason: {problem}")
    return sets


def check_files(paths: Iterable[Path | None]) -> None:
    """Complains of files that could not be written, before the hours of training; makes their folders.

    Raises:
        UserError: One is a folder, or its folder cannot be made.
    """
    for path in filter(None, paths):
        if path.is_dir():
            raise UserError(f"{path}: is a folder; give the name of a file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path.parent}: cannot be made ({error.strerror}); choose another place") from error


def train_and_score(run: StudyRun, sets: Sequence[ScoredSet], accelerator: str) -> None:
    """Trains and scores a run; what is done already is not done again.

    Raises:
        typer.Exit: With status 130, where the user stopped it.
        UserError: It cannot be trained or scored.
    """
    from unblemish.commands.console import TrainingProgress
    from unblemish.restoration.methods import build_task
    from unblemish.studies.runs import carry_out, finished
    from unblemish.studies.scores import known_scores, score_run

    if not finished(run):
        say(f"training {run.folder.name}")
        command = ["unblemish", *sys.argv[1:]]
        progress = TrainingProgress("the same command goes on")
        if not carry_out(run, build_task, accelerator=accelerator, callbacks=[progress], command=command):
            stopped(run)
    for pictures in sets:
        if not known_scores(run, pictures):
            say(f"scoring {run.folder.name} on {pictures.name}")
            score_run(run, pictures, accelerator)


def stopped(run: StudyRun) -> NoReturn:
    """Ends the command with status 130 after a run that the user stopped.

    Raises:
        typer.Exit: Always.
    """
    say(f"stopped in {run.folder.name}, which is saved; the same command goes on from there")
    raise typer.Exit(130)


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all; its folder is made where it is missing.

    Raises:
        OSError: It cannot be written.
    """
    from unblemish.files import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def say(line: str) -> None:
    """Prints a line on standard error."""
    typer.echo(line, err=True)
