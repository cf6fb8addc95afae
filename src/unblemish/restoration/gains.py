"""What treatment brings, measured on the specimens that an examiner was calibrated on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.examination.observations import VERSION, Observation, digests, key
from unblemish.examination.specimens import CLEAN, NOTHING_GIVEN, Given, Specimen, specimens
from unblemish.files import write_atomically
from unblemish.restoration.treatment import Treatment

CEILING = 40.0
"""Decibels at which gains are cut on either side: impulses are sometimes removed almost without a trace, and an
average should not hang on them."""

MOST = 60.0
"""PSNR in decibels above which pictures count as equal."""


def measure_gains(
    observations: Sequence[Observation],
    groups: Sequence[str],
    treatments: Mapping[str, Treatment],
    folder: Path,
    *,
    pictures: int,
    seed: int = 0,
    given: Given = NOTHING_GIVEN,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[float | None]:
    """Treats specimens and compares their PSNR before and after; what was measured before is read.

    Args:
        observations: As `examination.observations.observe` gave them, all kinds of a photograph together.
        groups: For each observation the group whose network treats it.
        treatments: By group.
        folder: Where gains are kept; made if missing.
        pictures: Only the specimens of the first so many photographs are treated.
        seed: Of the specimens.
        given: As for `observe`.
        on_progress: Told how many of how many photographs are done.

    Returns:
        Gain of each observation in decibels (RGB), cut at `CEILING`; None for clean ones and further photographs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(zip(observations, groups, strict=True))
    pictures = min(pictures, len({one.path for one in observations}))
    gains: list[float | None] = []
    for number, (path, several) in enumerate(groupby(rows, key=lambda row: row[0].path)):
        chosen = {one.kind: group for one, group in several}
        if number >= pictures:
            gains += [None] * len(chosen)
            continue
        gains += _gains(path, chosen, treatments, folder, seed, given)
        on_progress(number + 1, pictures)
    return gains


def _gains(
    path: Path, groups: Mapping[str, str], treatments: Mapping[str, Treatment], folder: Path, seed: int, given: Given
) -> list[float | None]:
    """Of one photograph, in the order of `groups`."""
    seen = digests(path, list(groups), given)
    files = {
        kind: folder / f"{key([VERSION, path.name, *seen[kind], kind, treatments[group].fingerprint, seed])}.json"
        for kind, group in groups.items()
        if kind != CLEAN
    }
    missing = [kind for kind, stored in files.items() if not stored.exists()]
    for specimen in specimens(path, missing, seed, given) if missing else ():
        brought = round(gain(specimen, treatments[groups[specimen.kind]]), 4)
        write_atomically(files[specimen.kind], json.dumps(brought).encode())
    return [json.loads(files[kind].read_text(encoding="utf-8")) if kind in files else None for kind in groups]


def gain(specimen: Specimen, treatment: Treatment) -> float:
    """Decibels of PSNR (RGB) that a treatment brings, cut at `CEILING`."""
    prepare = preset("rgb").prepare
    treated = treatment.restore_tensor(specimen.damaged[None])
    clean = prepare(specimen.clean[None])
    before, after = (min(MOST, float(psnr(prepare(x), clean))) for x in (specimen.damaged[None], treated))
    return max(-CEILING, min(CEILING, after - before))
