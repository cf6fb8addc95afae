"""Whether a network should take tones from a small copy of the picture: whatever restores better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean

from unblemish.examination.specimens import NOTHING_GIVEN, Given, specimens
from unblemish.networks.base import Network
from unblemish.pictures.errors import PictureError
from unblemish.restoration.gains import gain
from unblemish.restoration.treatment import Treatment

SIDE = 72
"""Longer side of the copy in pixels: about that of the patches that networks learn from."""

LOOKED_AT = 16
"""Photographs that the choice is made on, at most."""


def choose_overview(
    network: Network, photographs: Iterable[Path], damage: Sequence[str], given: Given = NOTHING_GIVEN, seed: int = 0
) -> int | None:
    """`SIDE` where tones from a copy of that size bring more decibels on average, else None.

    Args:
        network: In evaluation mode, float32, on the CPU.
        photographs: Clean ones, best such as it was not trained on; unreadable ones are left out.
        damage: What it treats, which should be of whole pictures.
        given: As for `specimens`.
        seed: Of the damage.
    """
    plain, toned = (Treatment(network, device="cpu", overview=side) for side in (None, SIDE))
    more = []
    for path in islice(photographs, LOOKED_AT):
        try:
            more += [gain(one, toned) - gain(one, plain) for one in specimens(path, damage, seed, given)]
        except PictureError:
            continue
    return SIDE if more and fmean(more) > 0 else None
