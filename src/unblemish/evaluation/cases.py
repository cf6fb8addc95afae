"""What is scored: sets of damaged pictures with their clean originals.

A set reads and damages one picture at a time. The damage of a picture is seeded by the seed, the
degradation's name and the picture's path below the folder: it stays the same whatever the order, the count or
the machine's speed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unblemish.degradations.base import Degradation
from unblemish.degradations.quantisation import rounded
from unblemish.degradations.seeding import picture_generator
from unblemish.errors import UserError
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.preparation import AS_THEY_ARE, Preparation
from unblemish.pictures.colour import gray_rgb
from unblemish.pictures.folders import find_pictures
from unblemish.pictures.picture import from_float, to_float
from unblemish.pictures.reading import read

CLEAN = "clean"
"""Kind of the set whose pictures are left undamaged; averages over degradations leave it out."""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture to restore.

    Attributes:
        name: Path below the folder, with forward slashes; for a patch also where it begins, as in "a.png at 64,0".
        damaged: `(1, 3, H, W)` float32, [0, 1].
        clean: The same shape, or larger for networks that enlarge.
    """

    name: str
    damaged: Tensor
    clean: Tensor


@dataclass(frozen=True, slots=True)
class Unusable:
    """A picture that cannot be scored, and why."""

    name: str
    reason: str


class CaseSet(ABC):
    """Damaged pictures of one kind, read anew at each iteration.

    Attributes:
        name: Unique within a table.
        title: What tables call it.
        kind: Name of the degradation, which decides which classical tools apply; CLEAN for none.
        source: The folder, by its last two names, and the patches it is cut into.
        damage: How the damage was made, in words, and what else was done to the pictures.
    """

    name: str
    title: str
    kind: str
    source: str
    damage: str

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures (or patches), the unusable ones included."""

    @abstractmethod
    def __iter__(self) -> Iterator[Case | Unusable]:
        """The pictures in the order of their names."""


class DegradedFolder(CaseSet):
    """Clean pictures, each damaged by a degradation or a blend, and rounded to 8 bit as a file would be by default.

    Args:
        folder: Clean pictures, searched recursively.
        degradation: What damages them; None leaves them clean, to see how well a method leaves them alone.
        values: Parameters that differ from the published defaults; not together with `sampled`.
        sampled: Draw the parameters of each picture from the published ranges.
        seed: Of the parameters and the noise.
        limit: Score only the first so many pictures in the order of their names.
        preparation: What else is done to the pictures.

    Raises:
        PictureError: There is no such folder, or no picture in it.
        ValueError: A parameter is not known or not allowed.
    """

    def __init__(
        self,
        folder: Path,
        degradation: Degradation | None,
        *,
        values: Mapping[str, float | str] | None = None,
        sampled: bool = False,
        seed: int = 0,
        limit: int | None = None,
        preparation: Preparation = AS_THEY_ARE,
    ) -> None:
        values = dict(values or {})
        if sampled and values:
            raise ValueError("parameters are either drawn or given, not both")
        self.source = folder_label(folder) + preparation.pieces
        self._preparation = preparation
        self._folder, self._degradation, self._values, self._sampled, self._seed = (
            folder,
            degradation,
            values,
            sampled,
            seed,
        )
        self._paths = find_pictures(folder)[:limit]
        given = ",".join(f"{key}={value}" for key, value in values.items())
        self.kind = CLEAN if degradation is None else degradation.name
        self.name = f"{self.kind}:{given}" if given else self.kind
        self.title = "Clean" if degradation is None else degradation.title + (f" ({given})" if given else "")
        self.damage = preparation.describe(self._describe(), rounds=degradation is not None)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Case | Unusable]:
        return self._cases(self._damaged)

    @cached_property
    def _length(self) -> int:
        if self._preparation.patch is None:
            return len(self._paths)
        return sum(1 for _ in self._cases(lambda name, clean: clean))

    def _cases(self, damaged: Callable[[str, Tensor], Tensor]) -> Iterator[Case | Unusable]:
        def make(name: str) -> Case:
            clean = load_rgb(self._folder / name, gray=self._preparation.gray)
            return Case(name, damaged(name, clean), clean)

        names = (path.relative_to(self._folder).as_posix() for path in self._paths)
        return cut(attempted(names, make), self._preparation)

    def _damaged(self, name: str, clean: Tensor) -> Tensor:
        if self._degradation is None:
            return clean
        generator = picture_generator(self._seed, self.kind, name)
        draw = self._degradation
        parameters = draw.sample(1, generator) if self._sampled else draw.fixed(1, **self._values)
        return rounded(self._degradation.apply(clean, parameters, generator), self._preparation.rounding)

    def _describe(self) -> str:
        if self._degradation is None:
            return "none"
        if self._sampled:
            return f"drawn from the published ranges, seed {self._seed}"
        fixed = self._degradation.fixed(1, **self._values)
        choices = {key: spec.choices for key, spec in self._degradation.specs.items()}
        listed = [
            f"{key}={choices[key][int(value)] if choices[key] else f'{float(value):g}'}" for key, value in fixed.items()
        ]
        return ", ".join([*listed, f"seed {self._seed}"])


def attempted(names: Iterable[str], make: Callable[[str], Case]) -> Iterator[Case | Unusable]:
    """What `make` makes of each name, or why it cannot: whatever the user can mend costs one picture alone."""
    for name in names:
        try:
            yield make(name)
        except UserError as error:
            yield Unusable(name, str(error))


def cut(cases: Iterable[Case | Unusable], preparation: Preparation) -> Iterator[Case | Unusable]:
    """Each case, its two pictures of one size, as the parts that the preparation keeps; or why it keeps none."""
    for case in cases:
        if isinstance(case, Unusable):
            yield case
            continue
        try:
            windows = preparation.windows(*case.clean.shape[-2:])
        except EvaluationError as error:
            yield Unusable(case.name, str(error))
            continue
        for suffix, rows, columns in windows:
            yield Case(case.name + suffix, case.damaged[..., rows, columns], case.clean[..., rows, columns])


def load_rgb(path: Path, gray: bool = False) -> Tensor:
    """A picture as `(1, 3, H, W)` float32 in [0, 1]; gray is repeated, alpha and colour profile are ignored.

    Args:
        path: The file.
        gray: Whether colours are turned to gray, at 8 bits.

    Raises:
        PictureError: The file is broken or no picture.
    """
    pixels = to_float(read(path).pixels).clip(0.0, 1.0)  # (H, W, C)
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if gray:
        rgb = to_float(gray_rgb(from_float(rgb, np.dtype(np.uint8)).astype(np.uint8, copy=False)))
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]  # (1, 3, H, W)


def folder_label(folder: Path) -> str:
    """The last two names of a folder: enough to know it by, without where this machine keeps it."""
    return "/".join(folder.resolve().parts[-2:]).lstrip("/")
