"""What restore and degrade share: one way through a batch of pictures, and what is said of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import typer

from unblemish.errors import UserError

if TYPE_CHECKING:
    from rich.progress import Progress

    from unblemish.pictures.batch import Event, FileOptions, Job, Report
    from unblemish.pictures.picture import Picture


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked for, see `options`; `suffix` names results that have no place of their own."""

    inputs: list[Path]
    output: Path | None
    suffix: str
    format: str | None
    quality: int | None
    subsampling: Literal["4:4:4", "4:2:0"]
    strip_metadata: bool
    overwrite: bool
    max_pixels: int | None
    as_json: bool
    quiet: bool


class Work(Protocol):
    """What a command does to pictures."""

    def setup(self, picture: Picture) -> tuple[str, dict[str, Any]]:
        """What was chosen, for the user and for machines; asked for once, with the first picture."""
        ...

    def treat(self, picture: Picture, job: Job, on_progress: Callable[[float], None]) -> Picture:
        """The result for one picture; `on_progress` is told the finished share, 0..1."""
        ...


def run_batch(request: Request, verb: str, prepare: Callable[[], Work]) -> None:
    """Plans, runs and reports a batch.

    The bar is shown on a terminal only. Choices, notes, failures and a closing line go to standard error,
    the report of `--json` to standard output.

    Args:
        request: What the user asked for.
        verb: Stands before the bar.
        prepare: Makes what treats the pictures; not called when there is nothing to do.

    Raises:
        UserError: The request cannot be fulfilled; nothing was started.
        typer.Exit: Pictures failed (status 1), or the user interrupted (status 130).
    """
    from unblemish.commands.console import progress_bar
    from unblemish.pictures.batch import plan_jobs, run_jobs

    jobs = plan_jobs(
        request.inputs,
        request.output,
        suffix=request.suffix,
        format=request.format,
        overwrite=request.overwrite,
    )
    _check_streams(jobs, request.as_json)
    todo = sum(not job.finished for job in jobs)
    progress = progress_bar()
    progress.disable = progress.disable or request.quiet
    with progress:
        run = _Run(progress, verb, todo, request.quiet)
        if todo:
            run.work = prepare()
        report = run_jobs(jobs, run.treat, run.on_event, options=_file_options(request))
    for line in _failures(report, jobs):
        typer.echo(line, err=True)
    if not request.quiet and (len(jobs) > 1 or not report.failures):
        typer.echo(_closing_line(report, jobs), err=True)
    if request.as_json:
        typer.echo(json.dumps({**json.loads(report.to_json()), "setup": run.setup}, indent=2))
    if report.interrupted:
        raise typer.Exit(130)
    if report.failures:
        raise typer.Exit(1)


class _Run:
    """A batch under way: knows the job in work, moves the bar, says what there is to say."""

    def __init__(self, progress: Progress, verb: str, total: int, quiet: bool) -> None:
        self.work: Work | None = None
        self.setup: dict[str, Any] | None = None
        self._progress, self._quiet = progress, quiet
        self._bar = progress.add_task(verb, total=total)
        self._done = 0
        self._job: Job | None = None

    def treat(self, picture: Picture) -> Picture:
        """What is done to each picture."""
        assert self.work is not None
        assert self._job is not None
        if self.setup is None:
            line, self.setup = self.work.setup(picture)
            self._say(line)
        return self.work.treat(picture, self._job, self._share)

    def on_event(self, event: Event) -> None:
        """Notes the job in work; once it ended, moves the bar and says what was noted."""
        self._job = event.job
        if event.outcome is None or event.outcome.state == "skipped":
            return
        self._done += 1
        self._progress.update(self._bar, completed=self._done)
        for note in event.outcome.notes:
            self._say(f"{event.outcome.source}: {note}")

    def _share(self, share: float) -> None:
        self._progress.update(self._bar, completed=self._done + share)

    def _say(self, line: str) -> None:
        from rich.markup import escape

        if not self._quiet:
            self._progress.console.print(escape(line), highlight=False, soft_wrap=True)


def _file_options(request: Request) -> FileOptions:
    from unblemish.pictures.batch import FileOptions
    from unblemish.pictures.reading import DEFAULT_PIXEL_CAP

    return FileOptions(
        pixel_cap=request.max_pixels or DEFAULT_PIXEL_CAP,
        quality=request.quality,
        strip_metadata=request.strip_metadata,
        subsampling=request.subsampling,
        overwrite=request.overwrite,
    )


def _check_streams(jobs: list[Job], as_json: bool) -> None:
    """Makes sure that standard output can take what is to go there."""
    from unblemish.pictures.batch import STREAM

    if all(job.target != STREAM for job in jobs):
        return
    if as_json:
        raise UserError("a picture and --json cannot share standard output; name a file with --output")
    if sys.stdout.isatty():
        raise UserError("standard output is a terminal; redirect it with > result.png, or name a file with --output")


def _closing_line(report: Report, jobs: list[Job]) -> str:
    """The outcome in one line."""
    time = f"in {report.seconds:.1f} s"
    if report.interrupted:
        left = len(jobs) - len(report.outcomes)
        return f"interrupted {time}, {left} left; what is finished is kept, run the same command to go on"
    if len(jobs) == 1 and report.count("written"):
        return f"{jobs[0].target} written {time}" if str(jobs[0].target) != "-" else f"written {time}"
    skipped, failed = report.count("skipped"), report.count("failed")
    parts = [f"{report.count('written')} written"]
    if skipped:
        parts.append(f"{skipped} skipped (finished earlier; --overwrite makes them anew)")
    if failed:
        parts.append(f"{failed} failed")
    return f"{', '.join(parts)}, {time}"


def _failures(report: Report, jobs: list[Job]) -> list[str]:
    """The table of what failed, file and reason; for a single picture the reason alone, as for any error."""
    if len(jobs) == 1:
        return [f"unblemish: {reason}" for _, reason in report.failures]
    width = max((len(source) for source, _ in report.failures), default=0)
    return [f"failed: {source:<{width}}  {reason.removeprefix(f'{source}: ')}" for source, reason in report.failures]
