"""Pairs: damaged pictures and their clean originals, in two folders side by side.

Such folders stand alone, or once in every scene of a set: `hazy` beside `clear`, or `SCENE/blur` beside `SCENE/sharp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unblemish.pictures.errors import PictureError
from unblemish.pictures.folders import walk_folders, walk_pictures

PairFolders = tuple[str, str]
"""Names of two folders side by side: of damaged pictures, and of their clean originals."""

PAIR_FOLDERS: tuple[PairFolders, ...] = (
    ("hazy", "clear"),
    ("input", "target"),
    ("damaged", "clean"),
    ("degraded", "clean"),
    ("rain", "norain"),
    ("blur", "sharp"),
)
"""The names that `known_folders` looks for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A damaged picture and its clean original, of which one may be missing.

    Attributes:
        name: What the two have in common: their paths below the folder that was searched, without the names of their
            two folders and without suffix. SCENE/blur/7.png and SCENE/sharp/7.png make "SCENE/7".
        damaged: The damaged picture's file.
        clean: The original's.
    """

    name: str
    damaged: Path | None
    clean: Path | None

    @property
    def scene(self) -> str:
        """The folders in the name, empty where there are none: "SCENE" of "SCENE/7"."""
        return self.name.rpartition("/")[0]

    @property
    def path(self) -> Path:
        """The original's file, or the damaged picture's where that is all there is."""
        path = self.clean or self.damaged
        assert path, f"{self.name} is a pair of no pictures"
        return path

    def files(self) -> tuple[Path, Path]:
        """The damaged picture and the original.

        Raises:
            PictureError: One of them is missing.
        """
        if self.damaged and self.clean:
            return self.damaged, self.clean
        lacking = "damaged picture" if self.clean else "clean original"
        raise PictureError(f"{self.path}: has no {lacking} of the same name; add it")


def find_pairs(folder: Path, names: PairFolders) -> list[Pair]:
    """All pictures of two folders side by side, wherever below a folder they stand, in the order of the pairs' names.

    The two pictures of a pair have the same path below their two folders, whatever the suffix. Pictures without a
    partner are among the pairs; those of other folders are not.

    Args:
        folder: Holds the two folders, or folders that hold them. They themselves may be links.
        names: Of the two folders.

    Raises:
        PictureError: There is no such folder, the two are nowhere side by side, or no name agrees.
    """
    damaged: dict[str, Path] = {}
    clean: dict[str, Path] = {}
    beside = False
    for home, below in walk_folders(folder, closed=names):
        beside |= names[0] != names[1] and set(names) <= set(below)
        for name, found in zip(names, (damaged, clean), strict=True):
            if name in below:
                found.update(_named(folder, home, name))
    words = " and ".join(names)
    if not beside:
        raise PictureError(f"{folder}: holds no folders {words} side by side, nor does a folder below; check the names")
    if not damaged.keys() & clean.keys():
        raise PictureError(f"{folder}: its folders {words} share no picture name; name both files of a pair alike")
    return [Pair(name, damaged.get(name), clean.get(name)) for name in sorted({**damaged, **clean})]


def known_folders(folder: Path) -> PairFolders | None:
    """The first of `PAIR_FOLDERS` that stand side by side in a folder or below it; None where there are none.

    Raises:
        PictureError: The folder does not exist, or it or one below cannot be listed.
    """
    for _, below in walk_folders(folder):
        for names in PAIR_FOLDERS:
            if set(names) <= set(below):
                return names
    return None


def require_one_size(pair: Pair, damaged: tuple[int, int], clean: tuple[int, int]) -> None:
    """Complains of a pair whose pictures differ in height and width.

    Raises:
        PictureError: They do.
    """
    if damaged != clean:
        sizes = " and ".join(f"{width} x {height}" for height, width in (damaged, clean))
        raise PictureError(f"{pair.damaged}: a pair must have one size, not {sizes}; crop one of them")


def _named(folder: Path, home: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The pictures of one of the two folders in `home`, each with its pair's name."""
    place = home.relative_to(folder)
    for path in walk_pictures(home / name):
        yield (place / path.relative_to(home / name)).with_suffix("").as_posix(), path
