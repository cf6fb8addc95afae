"""`unblemish examine`: what is wrong with pictures, and what treatment would bring."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from unblemish.commands import options
from unblemish.commands.extras import needs_extra
from unblemish.errors import UserError

if TYPE_CHECKING:
    from unblemish.commands.examine_plan import Task
    from unblemish.examination.examination import Examination
    from unblemish.examination.examiner import Examiner
    from unblemish.pictures.picture import Picture

Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE|FOLDER", help="Draw the findings: a name in .png for one picture, else a folder."),
]
Rule = Annotated[
    str | None,
    typer.Option(help="statistics (the default), or divergence: the smallest distance alone, as GRIDS chooses."),
]


def examine(
    inputs: options.Inputs = None,
    plot: Plot = None,
    overwrite: options.Overwrite = False,
    rule: Rule = None,
    bundle: options.BundleFolder = None,
    device: options.Device = "auto",
    max_pixels: options.MaxPixels = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with every number.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print findings and failures, but no bar, notes or summary.")
    ] = False,
) -> None:
    """Examine pictures: say what is wrong with them and what restoring them would bring. Nothing is changed.

    Files that are named get a block of lines each; as soon as a folder is named, every picture gets one line.

    Verdicts:

    - **clean**: nothing that treatment would improve; restore leaves it as it is.

    - **known: GROUP**: damage that the network of this group of the bundle was trained for.

    - **unknown**: damage that the bundle does not know, or cannot tell surely; restore leaves it as it is.

    A distance is the KL divergence from the signature of clean pictures, or of a group, to the picture's, on a
    logarithmic scale: 0 where they are equal, one more for ten times the divergence, above 4 out of the domain.

    Where damage is local, a map shows the examined regions: a dot is sound, a letter stands for a group.

    Exit status 0 says that all pictures were examined, whatever was found; 1 that some failed, which are listed at
    the end; 130 that the run was interrupted.
    """
    from unblemish.commands.examine_plan import plan_tasks
    from unblemish.pictures.reading import DEFAULT_PIXEL_CAP
    from unblemish.restoration import examining
    from unblemish.restoration.bundle import Bundle

    began = time.perf_counter()
    tasks = plan_tasks(inputs or [], plot, overwrite=overwrite)
    if plot is not None:
        with needs_extra("train"):
            importlib.import_module("matplotlib")
    loaded = Bundle.load(bundle)
    examiner = examining.load_examiner(loaded, device)
    if rule is not None and rule not in examiner.rules:
        raise UserError(f"there is no rule '{rule}': choose {' or '.join(examiner.rules)}")
    in_lines = any(path.is_dir() for path in inputs or [])
    run = _Run(examiner, rule, max_pixels or DEFAULT_PIXEL_CAP, in_lines=in_lines, as_json=as_json, quiet=quiet)
    interrupted = run.go_through(tasks)
    run.conclude(len(tasks), time.perf_counter() - began, interrupted, str(loaded.path))


class _Run:
    """Pictures under examination.

    Attributes:
        counts: How many pictures had which finding.
        pictures: Every number, one entry for each picture that could be examined; kept for JSON alone.
        failures: Reason by path of what could not be examined or drawn.
        ended: How many pictures are through, whether they failed or not.
    """

    def __init__(
        self, examiner: Examiner, rule: str | None, pixel_cap: int, *, in_lines: bool, as_json: bool, quiet: bool
    ) -> None:
        self._examiner, self._rule, self._pixel_cap = examiner, rule, pixel_cap
        self._in_lines, self._as_json, self._quiet = in_lines, as_json, quiet
        self.counts: Counter[str] = Counter()
        self.pictures: list[dict[str, Any]] = []
        self.failures: dict[str, str] = {}
        self.ended = 0

    def go_through(self, tasks: Sequence[Task]) -> bool:
        """Examines one picture after the other, says what was found, moves the bar; True where it was interrupted."""
        from unblemish.commands.console import progress_bar

        progress = progress_bar()
        progress.disable = progress.disable or self._quiet or len(tasks) == 1
        # A bar takes what goes to standard output and shows it above itself, on standard error. That is right on a
        # terminal; a file or a pipe is to get its lines all the same.
        out = None if sys.stdout.isatty() else sys.stdout
        try:
            with progress:
                bar = progress.add_task("examine", total=len(tasks))
                for task in tasks:
                    self._try(task, out)
                    self.ended += 1
                    progress.update(bar, completed=self.ended)
        except KeyboardInterrupt:
            return True
        return False

    def conclude(self, total: int, seconds: float, interrupted: bool, bundle: str) -> None:
        """Tells failures, the summary and the JSON document.

        Raises:
            typer.Exit: Something failed or was interrupted.
        """
        for reason in self.failures.values():
            typer.echo(f"unblemish: {reason}" if total == 1 else f"failed: {reason}", err=True)
        if not self._quiet and (total > 1 or interrupted):
            typer.echo(_summary(self, total, seconds, interrupted), err=True)
        if self._as_json:
            document = {
                "bundle": bundle,
                "pictures": self.pictures,
                "failures": [{"path": path, "reason": reason} for path, reason in self.failures.items()],
                "seconds": round(seconds, 3),
                "interrupted": interrupted,
            }
            typer.echo(json.dumps(document, indent=2))
        if interrupted or self.failures:
            raise typer.Exit(130 if interrupted else 1)

    def _try(self, task: Task, out: TextIO | None) -> None:
        """One picture; whatever goes wrong with it costs none of the others."""
        try:
            self._examine(task, out)
        except UserError as error:
            self.failures[str(task.source)] = str(error)
        except OSError:  # standard output takes no more; reading and drawing have errors of their own
            raise
        except Exception as error:
            detail = " ".join(f"{type(error).__name__}: {error}".split())
            self.failures[str(task.source)] = f"{task.source}: {detail}"

    def _examine(self, task: Task, out: TextIO | None) -> None:
        from unblemish.commands import findings

        picture = self._read(task)
        found = self._examiner.examine(picture, self._rule)
        label = findings.printable(task.source)
        self._note(label, picture.notes)
        if self._as_json:
            facts = {"path": str(task.source), "width": picture.width, "height": picture.height}
            self.pictures.append({**facts, "notes": picture.notes, "plot": None, **findings.to_json(found)})
        elif self._in_lines:
            if not self.counts:
                typer.echo(findings.heading(list(found.distances)), file=out)
            typer.echo(findings.row(label, found), file=out)
        else:
            gap = "\n" if self.counts else ""
            typer.echo(gap + findings.block(label, picture.width, picture.height, found), file=out)
        self.counts[found.finding] += 1
        if task.plot is not None:
            self._draw(task, task.plot, picture, found, label)
            if self._as_json:
                self.pictures[-1]["plot"] = str(task.plot)

    def _draw(self, task: Task, plot: Path, picture: Picture, found: Examination, label: str) -> None:
        from unblemish.evaluation.examination_plot import save_plot

        if task.drawn:
            self._note(label, (f"{plot} exists already and is kept; --overwrite draws it anew",))
            return
        try:
            save_plot(picture, found, self._examiner.signatures, plot, label)
        except OSError as error:
            reason = f"{error.filename or plot}: {error.strerror or error}"
            raise UserError(f"{reason}; check space and permissions") from error

    def _read(self, task: Task) -> Picture:
        from unblemish.pictures.planning import STREAM
        from unblemish.pictures.reading import read

        if task.source == STREAM:
            return read(sys.stdin.buffer.read(), pixel_cap=self._pixel_cap, name="standard input")
        return read(task.source, pixel_cap=self._pixel_cap)

    def _note(self, label: str, notes: Sequence[str]) -> None:
        for note in () if self._quiet else notes:
            typer.echo(f"{label}: {note}", err=True)


def _summary(run: _Run, total: int, seconds: float, interrupted: bool) -> str:
    """How many pictures had which verdict, the most frequent first."""
    parts = [f"{count} {finding}" for finding, count in run.counts.most_common()]
    if run.failures:
        parts.append(f"{len(run.failures)} failed")
    if interrupted:
        parts.append(f"interrupted with {total - run.ended} left")
    return f"{total} pictures: {', '.join(parts)}, in {seconds:.1f} s"
