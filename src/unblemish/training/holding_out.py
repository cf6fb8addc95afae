"""Which pictures are held out: by hashes of names, so that neither the files' order nor added ones matter much."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from unblemish.pictures.pairs import Pair
from unblemish.training.errors import TrainingError
from unblemish.training.loading import Source

_Source = TypeVar("_Source", bound=Source)


def hold_out(sources: Sequence[_Source], count: int) -> tuple[list[_Source], list[_Source]]:
    """Splits off `count` pictures or pairs for validation: those whose names have the smallest hashes.

    The order of files does not matter; added ones take a place only where their hash is among the smallest.

    Returns:
        Training pictures and held-out ones.

    Raises:
        TrainingError: Nothing would be left to train on.
    """
    if len(sources) <= count:
        raise TrainingError(
            f"{len(sources)} pictures are too few to hold out {count} for validation; "
            "set validation.pictures lower or give a validation.folder"
        )
    held = set(smallest(sources, count))
    return [one for one in sources if one not in held], [one for one in sources if one in held]


def hold_out_scenes(sources: Sequence[_Source], count: int) -> tuple[list[_Source], list[_Source]]:
    """Splits off whole scenes: frames of one scene are nearly alike, and those left would give the held-out ones away.

    Scenes are taken by the hashes of their names, smallest first, until they hold `count` pairs; one always stays.
    Pictures without a partner, and pairs of a single scene, are split by `hold_out`.

    Returns:
        Training pictures and held-out ones, which may be more than `count`, or fewer where scenes are.

    Raises:
        TrainingError: Nothing would be left to train on.
    """
    sizes = Counter(_scene(one) for one in sources)
    if len(sizes) < 2:
        return hold_out(sources, count)
    held: set[str] = set()
    for scene in sorted(sizes, key=_digest)[:-1]:
        if sum(sizes[one] for one in held) >= count:
            break
        held.add(scene)
    return [one for one in sources if _scene(one) not in held], [one for one in sources if _scene(one) in held]


def smallest(sources: Sequence[_Source], count: int) -> list[_Source]:
    """The `count` pictures or pairs whose names have the smallest hashes (all, if they are fewer), in their order."""
    chosen = set(sorted(sources, key=lambda one: _digest(one.name))[:count])
    return [one for one in sources if one in chosen]


def _scene(source: Source) -> str:
    return source.scene if isinstance(source, Pair) else ""


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
