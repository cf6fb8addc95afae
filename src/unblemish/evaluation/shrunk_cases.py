"""What networks that enlarge are scored on: small pictures with their large clean originals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unblemish.degradations.base import Degradation
from unblemish.degradations.parsing import draw
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.degradations.resampling import resized
from unblemish.degradations.seeding import picture_generator
from unblemish.evaluation.cases import Case, CaseSet, Unusable, attempted, folder_label, load_rgb
from unblemish.evaluation.errors import EvaluationError
from unblemish.pictures.folders import find_pictures


class ShrunkFolder(CaseSet):
    """Clean pictures, cut to a multiple of the factor, damaged if asked to, shrunk, and rounded to 8 bit.

    `Case.clean` is the cut picture `(1, 3, H, W)`, `Case.damaged` the small one `(1, 3, H / factor, W / factor)`:
    antialiased bicubic, as networks that enlarge are trained. What is over is cut off at the bottom and the right.

    Args:
        folder: Clean pictures, searched recursively.
        factor: How many times the sides are shrunk, at least 2.
        degradation: Damages the picture before it is shrunk; None for shrinking alone.
        values: Its parameters, with defaults for the rest; none draws them from the published ranges.
        seed: Of the parameters and the noise.
        limit: Score only the first so many pictures in the order of their names.

    Raises:
        PictureError: There is no such folder, or no picture in it.
        ValueError: The factor is below 2.
    """

    def __init__(
        self,
        folder: Path,
        factor: int,
        degradation: Degradation | None = None,
        *,
        values: dict[str, float] | None = None,
        seed: int = 0,
        limit: int | None = None,
    ) -> None:
        if factor < 2:
            raise ValueError(f"a factor of {factor} shrinks nothing; score such pictures with DegradedFolder")
        self._folder, self._factor, self._degradation, self._seed = folder, factor, degradation, seed
        self._values = dict(values or {})
        self._paths = find_pictures(folder)[:limit]
        self.name = self.kind = f"x{factor}" if degradation is None else f"{degradation.name}_x{factor}"
        self.title = f"Shrunk x{factor}" if degradation is None else f"{degradation.title}, shrunk x{factor}"
        self.source = folder_label(folder)
        given = (
            ", ".join(f"{key}={value:g}" for key, value in self._values.items()) or "drawn from the published ranges"
        )
        drawn = "" if degradation is None else f"{given}, seed {seed}; then "
        self.damage = f"{drawn}antialiased bicubic shrinking by {factor}, rounded to 8 bit"

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Case | Unusable]:
        return attempted((path.relative_to(self._folder).as_posix() for path in self._paths), self._case)

    def _case(self, name: str) -> Case:
        picture = load_rgb(self._folder / name)
        height, width = (side // self._factor for side in picture.shape[-2:])
        if min(height, width) == 0:
            raise EvaluationError(
                f"{name}: smaller than {self._factor} pixels, which shrinking by that needs; remove it"
            )
        clean = picture[..., : height * self._factor, : width * self._factor]  # (1, 3, H, W)
        damaged = clean
        if self._degradation is not None:
            generator = picture_generator(self._seed, self._degradation.name, name)
            damaged = self._degradation.apply(clean, draw(self._degradation, self._values, 1, generator), generator)
        return Case(name, quantise_8bit(resized(damaged, height, width)), clean)
