"""Which picture is read from where and written to where: decided, and checked, before anything starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from unblemish.pictures.errors import PictureError
from unblemish.pictures.folders import walk_pictures
from unblemish.pictures.formats import FORMATS, Format, format_named, format_of_name, is_picture_name
from unblemish.pictures.writing import refuse_same_file

STREAM = Path("-")
"""Stands for standard input and standard output."""


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to be restored.

    Attributes:
        source: File to read, or `STREAM`.
        target: File to write, or `STREAM`.
        format: Key of the format to write; None for the format of the source.
        finished: Whether the target is there from an earlier run and is to be left alone.
    """

    source: Path
    target: Path
    format: str | None = None
    finished: bool = False


def plan_jobs(
    inputs: list[Path],
    output: Path | None,
    *,
    suffix: str = "_restored",
    format: str | None = None,
    overwrite: bool = False,
) -> list[Job]:
    """Finds the pictures and decides where each result goes.

    Without `output`, the result of a file stands beside it with `suffix` after its stem, and a folder's
    results stand in a folder beside it with `suffix` after its name. With it, they stand in that folder under
    their own names, or, for one file, in that file. Folders are searched to the bottom, their tree is kept;
    hidden files, files without a picture's suffix, linked folders and the output folder itself are left out.
    Where there are several inputs, each folder gets a folder of its name in the output.

    A result that exists already is an error if it is the only one that was asked for. In a batch (several
    inputs, or a folder) it counts as finished, so that a stopped run can be started again. `overwrite` makes
    both anew.

    Args:
        inputs: Files and folders, or `STREAM` alone.
        output: A folder, a file for a single input file, or `STREAM` for a single input.
        suffix: What is added to names where no output is given.
        format: Key or suffix of the format to write; the source's own where not given.
        overwrite: Whether results of earlier runs are replaced.

    Raises:
        PictureError: Two results would have one name, a result would replace an input, a single result exists
            already, there is no picture, or the arguments do not fit together.
    """
    chosen = None if format is None else FORMATS[format_named(format).written_as]
    if not inputs:
        raise PictureError("no input; name a picture, a folder, or - for standard input")
    if STREAM in inputs or output == STREAM:
        return [_stream_job(inputs, output, chosen, overwrite)]
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if single and output is not None and _names_file(output):
        jobs = [_named_job(inputs[0], output, chosen)]
    else:
        jobs = _unique(_jobs(inputs, output, suffix, chosen))
    if not jobs:
        raise PictureError(f"{inputs[0]}: holds no picture; name a folder with pictures")
    if len(inputs) > 1 and output is None and not overwrite:
        jobs = _without_results(jobs)
    _check_targets(jobs)
    if overwrite:
        return jobs
    if single and os.path.lexists(jobs[0].target):
        raise PictureError(f"{jobs[0].target}: exists already; give another output, or --overwrite to replace it")
    return [replace(job, finished=os.path.lexists(job.target)) for job in jobs]


def _stream_job(inputs: list[Path], output: Path | None, chosen: Format | None, overwrite: bool) -> Job:
    """The job for standard input or output."""
    if len(inputs) > 1 or inputs[0].is_dir():
        raise PictureError("- stands for one picture; name a single input, or a folder as output")
    if output is None or output == STREAM:
        return Job(inputs[0], STREAM, None if chosen is None else chosen.key)
    if not _names_file(output):
        raise PictureError(f"{output}: is a folder; name a file for the picture from standard input")
    if os.path.lexists(output) and not overwrite:
        raise PictureError(f"{output}: exists already; give another output, or --overwrite to replace it")
    return _named_job(inputs[0], output, chosen)


def _names_file(output: Path) -> bool:
    """Whether an output is meant as a file; else as a folder."""
    if output.is_dir() or not output.suffix:
        return False
    if not is_picture_name(output):
        known = ", ".join(ending for entry in FORMATS.values() for ending in entry.suffixes)
        raise PictureError(f"{output}: no format has this ending; use one of {known}, or name a folder")
    return True


def _named_job(source: Path, target: Path, chosen: Format | None) -> Job:
    """The job with an output file that the user named."""
    named = format_of_name(target)
    assert named is not None
    if chosen is not None and chosen is not named:
        raise PictureError(f"{target}: its ending says {named.title}, --format says {chosen.title}; make them agree")
    if named.written_as != named.key:
        instead = FORMATS[named.written_as]
        raise PictureError(f"{target}: {named.title} cannot be written here; end the name in {instead.suffixes[0]}")
    return Job(source, target, named.key)


def _jobs(inputs: list[Path], output: Path | None, suffix: str, chosen: Format | None) -> Iterator[Job]:
    """The jobs in the order of the inputs."""
    key = None if chosen is None else chosen.key
    for path in inputs:
        if not path.is_dir():
            stem = path.stem + (suffix if output is None else "")
            yield Job(path, (output or path.parent) / (stem + _ending(path, chosen)), key)
            continue
        name = path.resolve().name
        if output is None:
            root = path.resolve().parent / (name + suffix)
        else:
            root = output if len(inputs) == 1 else output / name
        for found in walk_pictures(path, output or root):
            place = root / found.relative_to(path)
            yield Job(found, place.with_name(place.stem + _ending(found, chosen)), key)


def _ending(path: Path, chosen: Format | None) -> str:
    """The suffix of a result: the source's own, unless another format is written."""
    own = format_of_name(path)
    if chosen is not None:
        return path.suffix if own is chosen else chosen.suffixes[0]
    if own is not None and own.written_as != own.key:
        return FORMATS[own.written_as].suffixes[0]
    return path.suffix


def _unique(jobs: Iterator[Job]) -> list[Job]:
    """The jobs, each once, however often its source was named."""
    seen: dict[tuple[Path, Path], Job] = {}
    for job in jobs:
        seen.setdefault((job.source.resolve(), job.target.resolve()), job)
    return list(seen.values())


def _without_results(jobs: list[Job]) -> list[Job]:
    """Leaves out sources that are results of others from an earlier run, as `*.jpg` would name them."""
    targets = {job.target.resolve() for job in jobs}
    return [job for job in jobs if job.source.resolve() not in targets]


def _check_targets(jobs: list[Job]) -> None:
    """Makes sure that every result has a name of its own, and none that of an input."""
    sources = {job.source.resolve() for job in jobs}
    taken: dict[str, Job] = {}
    for job in jobs:
        refuse_same_file(job.source, job.target)
        target = job.target.resolve()
        if target in sources:
            raise PictureError(f"{job.target}: is an input and would be a result too; choose another output folder")
        other = taken.setdefault(os.path.normcase(target), job)
        if other is not job:
            raise PictureError(
                f"{other.source} and {job.source} would both be written to {job.target}; "
                "rename one, or restore them into different folders"
            )
