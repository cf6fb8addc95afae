"""What `unblemish examine` reads, and where its plots go: decided, and checked, before anything starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unblemish.errors import UserError
from unblemish.pictures.folders import walk_pictures
from unblemish.pictures.planning import STREAM
from unblemish.pictures.writing import refuse_same_file


@dataclass(frozen=True, slots=True)
class Task:
    """One picture to examine.

    Attributes:
        source: File to read, or `STREAM`.
        plot: File to draw into; None where nothing is to be drawn.
        drawn: Whether that file is there already and is to be left alone.
    """

    source: Path
    plot: Path | None = None
    drawn: bool = False


def plan_tasks(inputs: Sequence[Path], plot: Path | None, *, overwrite: bool = False) -> list[Task]:
    """Finds the pictures and gives each plot a name.

    Folders are searched to the bottom, as restore does. A plot in a folder is named after its picture with ".png"
    added, so that `a.jpg` and `a.png` have one each; trees are kept, and where there are several inputs, each folder
    gets a folder of its name. A plot that exists is an error if it is the only one, and kept in a batch.

    Args:
        inputs: Files, folders, `STREAM`.
        plot: A name in .png for a single file, else a folder; None to draw nothing.
        overwrite: Whether existing plots are replaced.

    Raises:
        UserError: There is no picture, two plots would have one name, a plot would lie among or replace originals, a
            single plot exists already, or the arguments do not fit together.
    """
    if not inputs:
        raise UserError("no input; name a picture, a folder, or - for standard input")
    if plot is not None and plot.suffix and not plot.is_dir():
        tasks = [_named(inputs, plot)]
    else:
        tasks = _once(_found(inputs, plot))
        _check_plots(tasks)
    if not tasks:
        raise UserError(f"{inputs[0]}: holds no picture; name a folder with pictures")
    taken = [task.plot is not None and os.path.lexists(task.plot) for task in tasks]
    if overwrite or not any(taken):
        return tasks
    if len(tasks) == 1:
        raise UserError(f"{tasks[0].plot}: exists already; give another name, or --overwrite to replace it")
    return [Task(task.source, task.plot, there) for task, there in zip(tasks, taken, strict=True)]


def _named(inputs: Sequence[Path], plot: Path) -> Task:
    """The task with a plot that the user named."""
    if plot.suffix.lower() != ".png":
        raise UserError(f"{plot}: plots are written as .png; choose this ending, or name a folder")
    if len(inputs) > 1 or inputs[0].is_dir():
        raise UserError(f"{plot}: is one file; name a folder for the plots of several pictures")
    if inputs[0] != STREAM:
        refuse_same_file(inputs[0], plot)
    return Task(inputs[0], plot)


def _found(inputs: Sequence[Path], plot: Path | None) -> Iterator[Task]:
    """The tasks in the order of the inputs."""
    for path in inputs:
        if not path.is_dir():
            name = "standard-input" if path == STREAM else path.name
            yield Task(path, plot and plot / f"{name}.png")
            continue
        root = plot if plot is None or len(inputs) == 1 else plot / path.resolve().name
        for source in walk_pictures(path, plot):
            place = source.relative_to(path)
            yield Task(source, root and root / place.with_name(f"{place.name}.png"))


def _once(tasks: Iterator[Task]) -> list[Task]:
    """The tasks, each picture once, however often it was named."""
    seen: dict[Path, Task] = {}
    for task in tasks:
        seen.setdefault(task.source if task.source == STREAM else task.source.resolve(), task)
    return list(seen.values())


def _check_plots(tasks: Sequence[Task]) -> None:
    """Makes sure that every plot has a name of its own, and a place where no picture is examined."""
    folders = {task.source.resolve().parent for task in tasks if task.source != STREAM}
    taken: dict[str, Task] = {}
    for task in tasks:
        if task.plot is None:
            continue
        place = task.plot.resolve()
        if place.parent in folders:
            raise UserError(f"{task.plot.parent}: holds pictures that are examined; name another folder for the plots")
        other = taken.setdefault(os.path.normcase(place), task)
        if other is not task:
            raise UserError(
                f"{other.source} and {task.source} would both be drawn as {task.plot}; rename one, or examine them "
                "one after the other into different folders"
            )
