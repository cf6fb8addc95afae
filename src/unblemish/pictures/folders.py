"""Finding the pictures of a folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from unblemish.pictures.errors import PictureError
from unblemish.pictures.formats import FORMATS, is_picture_name


def find_pictures(folder: Path) -> list[Path]:
    """All pictures in and below a folder, in the order of `walk_pictures`.

    Raises:
        PictureError: The folder does not exist, it or one below cannot be listed, or there is no picture.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder}: no such folder; give one that holds pictures")
    paths = list(walk_pictures(folder))
    if not paths:
        titles = ", ".join(format.title for format in FORMATS.values())
        raise PictureError(f"{folder}: holds no picture ({titles}); give a folder that does")
    return paths


def inventory(folder: Path) -> list[list[object]]:
    """Path below the folder and bytes of each picture: what tells folders apart wherever they are, fit for JSON.

    Raises:
        PictureError: As for `find_pictures`.
    """
    return [[path.relative_to(folder).as_posix(), path.stat().st_size] for path in find_pictures(folder)]


def walk_pictures(folder: Path, without: Path | None = None) -> Iterator[Path]:
    """Files with a picture's suffix, sorted within each folder, folders after files.

    Hidden files and folders are left out, and so are linked folders, whose loops then do no harm.

    Args:
        folder: Where to begin.
        without: A folder that is left out.

    Raises:
        PictureError: A folder cannot be listed.
    """
    left_out = None if without is None else without.resolve()
    for at, folders, files in os.walk(folder, onerror=_refuse):
        here = Path(at)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (here / name).resolve() != left_out
        )
        for name in sorted(files):
            if not name.startswith(".") and is_picture_name(Path(name)):
                yield here / name


def walk_folders(folder: Path, closed: Collection[str] = ()) -> Iterator[tuple[Path, list[str]]]:
    """A folder and those below it, each with the names of its subfolders, sorted; hidden ones are left out.

    Args:
        folder: Where to begin.
        closed: Names of subfolders that are listed, but not entered; linked ones never are.

    Raises:
        PictureError: The folder does not exist, or it or one below cannot be listed.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder}: no such folder; give one that holds pictures")
    for at, folders, _ in os.walk(folder, onerror=_refuse):
        names = sorted(name for name in folders if not name.startswith("."))
        yield Path(at), names
        folders[:] = [name for name in names if name not in closed]


def _refuse(error: OSError) -> None:
    raise PictureError(f"{error.filename}: cannot be listed ({error.strerror}); change its permissions")
