"""Pairs that are scored as they were found."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from unblemish.evaluation.cases import Case, CaseSet, Unusable, attempted, cut, folder_label, load_rgb
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.preparation import AS_THEY_ARE, Preparation
from unblemish.pictures.pairs import PAIR_FOLDERS, PairFolders, find_pairs, known_folders, require_one_size


class PairedFolder(CaseSet):
    """Damaged pictures and their clean originals in two folders side by side, see `pictures.pairs`.

    Args:
        folder: Holds the two folders, or folders (scenes) that hold them.
        names: Of the two folders, damaged and clean; None takes what `pictures.pairs.known_folders` finds.
        name: Name and kind of the damage, such as "haze".
        limit: Score only the first so many pictures in the order of their names.
        preparation: What is done to both pictures of a pair, which are never rounded.

    Raises:
        PictureError: The folder or the two folders are missing, or no two names agree.
        EvaluationError: No folders of known names are there, or another rounding is asked for.
    """

    def __init__(
        self,
        folder: Path,
        names: PairFolders | None = None,
        *,
        name: str = "pairs",
        limit: int | None = None,
        preparation: Preparation = AS_THEY_ARE,
    ) -> None:
        if preparation.rounding != AS_THEY_ARE.rounding:
            raise EvaluationError("pairs are scored as their files hold them; leave the rounding out, or name a damage")
        names = names or known_folders(folder)
        if names is None:
            known = "; ".join(" and ".join(pair) for pair in PAIR_FOLDERS)
            raise EvaluationError(
                f"{folder}: holds no pair of subfolders; name them {known}, or give their names (--pairs)"
            )
        self.name = self.kind = name
        self.title = name.replace("_", " ").capitalize()
        self.source = folder_label(folder) + preparation.pieces
        self.damage = preparation.describe(f"as found in the files, {names[0]} and {names[1]}", rounds=False)
        self._preparation = preparation
        pairs = [pair for pair in find_pairs(folder, names) if pair.damaged][:limit]
        self._pairs = {pair.name: pair for pair in pairs}

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Case | Unusable]:
        return cut(attempted(self._pairs, self._case), self._preparation)

    @cached_property
    def _length(self) -> int:
        return len(self._pairs) if self._preparation.patch is None else sum(1 for _ in self)

    def _case(self, name: str) -> Case:
        pair = self._pairs[name]
        damaged, clean = (load_rgb(path, gray=self._preparation.gray) for path in pair.files())
        require_one_size(pair, (damaged.shape[2], damaged.shape[3]), (clean.shape[2], clean.shape[3]))
        return Case(name, damaged, clean)
