"""From clean photographs and networks to a bundle that examines pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from unblemish.degradations.catalogue import create, names
from unblemish.examination.calibration import conclude, diagnose, likely_groups, settle
from unblemish.examination.errors import ExaminationError
from unblemish.examination.knowledge import Knowledge
from unblemish.examination.observations import observe
from unblemish.examination.specimens import CLEAN, NOTHING_GIVEN, Given
from unblemish.networks.base import Network
from unblemish.restoration.examining import describer
from unblemish.restoration.gains import measure_gains
from unblemish.restoration.treatment import Treatment

STRANGE = ("haze", "darkness", "rain", "halftone", "interlacing")
"""Damage that stands for everything unknown while an examiner is calibrated, as far as no group treats it."""

Progress = Callable[[str, int, int], None]
"""Told what is done, and how much of it of how much."""


def calibrate(
    descriptor: Network,
    groups: Mapping[str, Sequence[str]],
    treatments: Mapping[str, Treatment],
    photographs: Sequence[Path],
    folder: Path,
    *,
    pictures_for_gains: int = 80,
    seed: int = 0,
    given: Given = NOTHING_GIVEN,
    everywhere: Collection[str] = (),
    on_progress: Progress = lambda what, done, total: None,
) -> Knowledge:
    """Teaches an examiner: shows it every kind of damage, and how much each group's network takes away.

    Args:
        descriptor: See `examining.describer`.
        groups: Degradations by group.
        treatments: That of each group.
        photographs: Clean ones, best in an order that mixes their sources.
        folder: Where measurements are kept, so that an interrupted calibration goes on.
        pictures_for_gains: How many of the photographs are also treated.
        seed: Of the damage and of the classifiers.
        given: Damage that is not made but shown in pairs; see `specimens`. Not every photograph needs a partner.
        everywhere: Given damage that is never in a part of a picture.
        on_progress: Told of progress.

    Raises:
        ExaminationError: A group has no treatment; or the photographs cannot be read, or are too few; or given damage
            is of no group, or no photograph that is treated has a partner of it.
        PairSizeError: A photograph and a partner differ in size.
    """
    if {*treatments} != {*groups}:
        raise ExaminationError(f"each group needs a treatment of its name: {', '.join(groups)}")
    known = [name for members in groups.values() for name in members]
    kinds = (CLEAN, *known, *(name for name in STRANGE if name not in known))
    _require_partners(given, kinds[1:], photographs, pictures_for_gains)
    observations = observe(
        describer(deepcopy(descriptor), "cpu"),
        photographs,
        kinds,
        folder / "observations",
        seed=seed,
        given=given,
        on_progress=lambda done, total: on_progress("measuring photographs", done, total),
    )
    _require_partners(given, kinds[1:], [one.path for one in observations], pictures_for_gains)
    diagnosis = diagnose(observations, kinds, seed)
    settings = settle(observations, diagnosis, groups, left_in_scenes(groups, given, everywhere))
    gains = measure_gains(
        observations,
        likely_groups(diagnosis, settings),
        treatments,
        folder / "gains",
        pictures=pictures_for_gains,
        seed=seed,
        given=given,
        on_progress=lambda done, total: on_progress("treating photographs", done, total),
    )
    return conclude(observations, diagnosis, settings, gains, seed)


def left_in_scenes(
    groups: Mapping[str, Sequence[str]], given: Given = NOTHING_GIVEN, everywhere: Collection[str] = ()
) -> dict[str, str]:
    """Degradations of groups that are everywhere, and what is left of each in a scene that itself is dark or pale.

    That is `CLEAN` where it would be of no group, and of given damage.

    Args:
        groups: Degradations by group.
        given: Damage that is shown in pairs.
        everywhere: As for `calibrate`.
    """
    known = [kind for kinds in groups.values() for kind in kinds]
    made = {kind: create(kind) for kind in known if kind not in given and kind in names()}
    rests = {kind: one.rest for kind, one in made.items() if one.everywhere} | dict.fromkeys(everywhere, "")
    return {kind: rest if rest in known and rest not in rests else CLEAN for kind, rest in rests.items()}


def _require_partners(given: Given, damage: Sequence[str], photographs: Sequence[Path], pictures: int) -> None:
    """Makes sure that an examiner learns of all given damage, and what treating it brings.

    Raises:
        ExaminationError: It would not.
    """
    if strange := [kind for kind in given if kind not in damage]:
        raise ExaminationError(f"pairs are given of {', '.join(strange)}, which is of no group; add it to one")
    treated = list(dict.fromkeys(photographs))[:pictures]
    for kind, partners in given.items():
        if treated and not any(path in partners for path in treated):
            raise ExaminationError(
                f"none of the {len(treated)} photographs that are treated has a damaged partner of '{kind}': "
                f"{treated[0]} has none, for example; give photographs with partners first, or mix them"
            )
