"""Preparation: what is done to the pictures of a set besides damaging them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from unblemish.degradations.quantisation import Rounding
from unblemish.evaluation.errors import EvaluationError


class Window(NamedTuple):
    """A part of a picture; `suffix` is added to the picture's name."""

    suffix: str
    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to pictures: gray before the damage, rounding after it, cuts last.

    So a patch, a crop and the whole picture see the same noise.

    Attributes:
        gray: Turn pictures to gray, as Pillow's `convert("L")` does, kept as three equal channels.
        multiple: Keep the centre crop whose sides are the largest multiples of this many pixels; None for all.
        patch: Cut the centre crop to multiples of this many pixels into squares of that side, each a case of its own;
            None for whole pictures.
        rounding: Of the damaged picture.

    Raises:
        EvaluationError: Both `multiple` and `patch` are given.
        ValueError: One of them is below 1.
    """

    gray: bool = False
    multiple: int | None = None
    patch: int | None = None
    rounding: Rounding = "nearest"

    def __post_init__(self) -> None:
        if self.multiple is not None and self.patch is not None:
            raise EvaluationError(
                "a multiple and patches exclude each other: patches are cut from the centre crop to multiples of "
                "their own side; give one of the two"
            )
        if self._side is not None and self._side < 1:
            raise ValueError(f"a multiple and patches must be 1 or more pixels, not {self._side}")

    def windows(self, height: int, width: int) -> list[Window]:
        """What is kept of a picture of this size, row by row; what is over is left out, the odd pixel below and right.

        Raises:
            EvaluationError: The picture is smaller than `multiple` or `patch`.
        """
        side = self._side
        if side is None:
            return [Window("", slice(0, height), slice(0, width))]
        tall, wide = height // side * side, width // side * side
        if min(tall, wide) == 0:
            raise EvaluationError(
                f"{width} x {height} pixels hold no square of {side} x {side}; leave this picture out or cut smaller"
            )
        top, left = (height - tall) // 2, (width - wide) // 2
        if self.patch is None:
            return [Window("", slice(top, top + tall), slice(left, left + wide))]
        return [
            Window(f" at {x},{y}", slice(y, y + side), slice(x, x + side))
            for y in range(top, top + tall, side)
            for x in range(left, left + wide, side)
        ]

    def describe(self, damage: str, rounds: bool) -> str:
        """The damage in words, with what else is done to the pictures.

        Args:
            damage: In words.
            rounds: Whether damaged pictures of the set are rounded at all.
        """
        parts = [damage]
        if self.gray:
            parts.append("gray")
        if rounds and self.rounding != "nearest":
            parts.append({"truncated": "truncated to 8 bit", "none": "not rounded"}[self.rounding])
        if self._side is not None:
            parts.append(f"centre crop to multiples of {self._side}")
        return ", ".join(parts) + self.pieces

    @property
    def pieces(self) -> str:
        """What to add to the description of a set that is cut into patches, such as ", 64 x 64 patches"; else empty."""
        return "" if self.patch is None else f", {self.patch} x {self.patch} patches"

    @property
    def _side(self) -> int | None:
        return self.multiple if self.patch is None else self.patch


AS_THEY_ARE = Preparation()
"""Colours and sizes of the files; damaged pictures rounded to the nearest level."""
