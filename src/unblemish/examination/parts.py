"""Whether only a part of a picture is damaged, and by what.

The mean over a picture of which half is damaged resembles neither that damage nor clean pictures, so that its damaged
patches are judged on their own. The four numbers were chosen on training photographs that no calibration had seen,
whole and with a half or a quarter damaged: docs/adr/0011-clean-means-various.md.
"""

from __future__ import annotations

from torch import Tensor

SURELY_DAMAGED = 0.9
"""Probability of damage from which on a patch counts in judging the damaged part."""

OWN = 0.8
"""Probability from which on a patch speaks for a group."""

FEWEST = 3
"""Patches that a damaged part has to have, and that have to speak for its group."""

LEAST_SOUND = 0.2
"""Share of patches that have to be rather clean, if only a part is damaged."""


def damaged_part(regions: Tensor) -> Tensor | None:
    """The damaged patches `(n,)` of a picture that is damaged in part; None if it is all over or nowhere.

    Args:
        regions: `(P, groups + 2)` probabilities of each patch: clean, groups, unknown.
    """
    damage = 1 - regions[:, 0]
    chosen = (damage >= SURELY_DAMAGED).nonzero().flatten()
    sound = int((damage <= 0.5).sum())
    return chosen if len(chosen) >= FEWEST and sound >= LEAST_SOUND * len(damage) else None


def speaks_for(regions: Tensor, place: int) -> bool:
    """Whether most damaged patches are of one group; in clean pictures a few look damaged, each in its own way.

    Args:
        regions: As for `damaged_part`.
        place: The group's column.
    """
    own = int((regions[:, place] >= OWN).sum())
    return own >= FEWEST and 2 * own >= int((regions[:, 0] < 0.5).sum())
