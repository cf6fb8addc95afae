"""Many pictures, one after the other: what fails is noted and the others go on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from unblemish.errors import UserError
from unblemish.pictures.formats import FORMATS
from unblemish.pictures.picture import Picture
from unblemish.pictures.planning import STREAM, Job, plan_jobs
from unblemish.pictures.reading import DEFAULT_PIXEL_CAP, read
from unblemish.pictures.writing import Subsampling, encode, refuse_same_file, write, write_file

__all__ = ["STREAM", "Event", "FileOptions", "Job", "Outcome", "Report", "plan_jobs", "run_jobs"]

State = Literal["written", "skipped", "failed"]

# Larger files are not read ahead: two huge pictures at once would break the promise about memory.
_READ_AHEAD_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are read and written; see `reading.read` and `writing.write`."""

    pixel_cap: int = DEFAULT_PIXEL_CAP
    quality: int | None = None
    strip_metadata: bool = False
    subsampling: Subsampling = "4:4:4"
    overwrite: bool = False


_DEFAULTS = FileOptions()


@dataclass(frozen=True, slots=True)
class _Source:
    """A picture that was read, and what it was read from."""

    picture: Picture
    origin: Path | bytes

    def bytes(self) -> bytes:
        return self.origin if isinstance(self.origin, bytes) else self.origin.read_bytes()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job.

    Attributes:
        source: File that was read, "-" for standard input.
        target: File that was to be written, "-" for standard output.
        state: "written", "skipped" (finished in an earlier run), or "failed".
        reason: What went wrong, one line; empty if nothing did.
        notes: What reading and restoring had to change.
        seconds: From the end of the job before.
    """

    source: str
    target: str
    state: State
    reason: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Progress: job `index` (from 0) of `total` begins (no outcome), or has ended."""

    job: Job
    index: int
    total: int
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did.

    Attributes:
        outcomes: One for each job that was ended, in order.
        seconds: Of the whole run.
        interrupted: Whether the user stopped it before the last job.
    """

    outcomes: tuple[Outcome, ...]
    seconds: float
    interrupted: bool = False

    def count(self, state: State) -> int:
        """Number of jobs with this outcome."""
        return sum(outcome.state == state for outcome in self.outcomes)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Source and reason of each job that failed."""
        return [(one.source, one.reason) for one in self.outcomes if one.state == "failed"]

    def to_json(self) -> str:
        """The report for machines: counts, seconds, and every outcome."""
        counts = {state: self.count(state) for state in ("written", "skipped", "failed")}
        return json.dumps(
            {
                **counts,
                "seconds": round(self.seconds, 3),
                "interrupted": self.interrupted,
                "outcomes": [asdict(outcome) for outcome in self.outcomes],
            },
            indent=2,
        )


def run_jobs(
    jobs: list[Job],
    function: Callable[[Picture], Picture],
    on_event: Callable[[Event], None] | None = None,
    *,
    options: FileOptions = _DEFAULTS,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
) -> Report:
    """Reads, restores and writes each picture.

    A picture that `function` gives back with the very pixels it got is written as the bytes it was read from, unless
    the options ask for another file: encoding it once more could change it.

    The next picture is read while one is restored. An error ends the job it happens in and no other. Ctrl-C
    ends the run: what is written stays, the picture in work leaves nothing behind.

    Args:
        jobs: As `plan_jobs` returned them.
        function: What is done to a picture; it adds to the notes of what it returns.
        on_event: Called in this thread at the beginning and the end of each job.
        options: How files are read and written.
        stdin: What `STREAM` reads; standard input where not given.
        stdout: What `STREAM` writes; standard output where not given.
    """
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    tell = on_event or (lambda event: None)
    interrupted = False
    pictures = _read_ahead(jobs, options, stdin)
    try:
        for index, job in enumerate(jobs):
            start = time.perf_counter()
            tell(Event(job, index, len(jobs)))
            outcome = _run(job, next(pictures), function, options, stdout)
            outcome = replace(outcome, seconds=round(time.perf_counter() - start, 3))
            outcomes.append(outcome)
            tell(Event(job, index, len(jobs), outcome))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        pictures.close()
    return Report(tuple(outcomes), time.perf_counter() - began, interrupted)


def _run(
    job: Job,
    reading: Future[_Source] | None,
    function: Callable[[Picture], Picture],
    options: FileOptions,
    stdout: BinaryIO | None,
) -> Outcome:
    """One job, once its picture is being read; `reading` is None for a finished one."""
    source, target = str(job.source), str(job.target)
    if reading is None:
        return Outcome(source, target, "skipped")
    notes: tuple[str, ...] = ()
    try:
        source_read = reading.result()
        notes = source_read.picture.notes
        result = function(source_read.picture)
        notes = result.notes
        _write(job, source_read, result, options, stdout)
    except UserError as error:
        return Outcome(source, target, "failed", str(error), notes)
    # A fault of the program in one picture must not cost the user the others.
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(source, target, "failed", f"{source}: {detail}", notes)
    return Outcome(source, target, "written", notes=notes)


def _write(job: Job, source: _Source, picture: Picture, options: FileOptions, stdout: BinaryIO | None) -> None:
    """Writes a result to where the job says."""
    form = job.format or picture.format
    untouched = picture.pixels is source.picture.pixels and picture.alpha is source.picture.alpha
    plain = options.quality is None and not options.strip_metadata and FORMATS[form].written_as == picture.format
    if job.target == STREAM:
        stream = stdout or sys.stdout.buffer
        encoded = memoryview(
            source.bytes()
            if untouched and plain
            else encode(
                picture,
                format=form,
                quality=options.quality,
                strip_metadata=options.strip_metadata,
                subsampling=options.subsampling,
            )
        )
        # An unbuffered stream may take only a part at a time.
        while encoded:
            encoded = encoded[stream.write(encoded) :]
        stream.flush()
        return
    if job.source != STREAM:
        refuse_same_file(job.source, job.target)
    if untouched and plain:
        write_file(source.bytes(), job.target, overwrite=options.overwrite)
        return
    write(
        picture,
        job.target,
        format=form,
        quality=options.quality,
        strip_metadata=options.strip_metadata,
        subsampling=options.subsampling,
        overwrite=options.overwrite,
    )


def _read(job: Job, options: FileOptions, stdin: BinaryIO | None) -> _Source:
    """The picture of a job."""
    if job.source == STREAM:
        data = (stdin or sys.stdin.buffer).read()
        return _Source(read(data, pixel_cap=options.pixel_cap, name="standard input"), data)
    return _Source(read(job.source, pixel_cap=options.pixel_cap), job.source)


def _read_ahead(jobs: list[Job], options: FileOptions, stdin: BinaryIO | None) -> Generator[Future[_Source] | None]:
    """For each job the picture to come, or None for a finished one; the one after it is read meanwhile."""
    with ThreadPoolExecutor(1, "reading") as pool:
        waiting: Future[_Source] | None = None
        for index, job in enumerate(jobs):
            current = waiting or (None if job.finished else pool.submit(_read, job, options, stdin))
            following = jobs[index + 1] if index + 1 < len(jobs) else None
            ahead = following is not None and not following.finished and _is_small(following.source)
            waiting = pool.submit(_read, following, options, stdin) if following and ahead else None
            yield current


def _is_small(path: Path) -> bool:
    """Whether a file can be read ahead without harm."""
    try:
        return path.stat().st_size <= _READ_AHEAD_BYTES
    except OSError:
        return False
