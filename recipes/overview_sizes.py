"""Measures what tones from a small copy of the picture bring, by the size of the copy (`restoration/overview.py`).

    python recipes/overview_sizes.py PHOTOGRAPHS -o results/overview_sizes.json

For networks of the default bundle whose damage is of whole pictures. Photographs are drawn with seed 0.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from statistics import fmean

from unblemish.degradations.catalogue import create
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.examination.specimens import specimens
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.gains import gain
from unblemish.restoration.overview_choice import SIDE
from unblemish.restoration.treatment import Treatment

SIDES = (None, 48, 64, SIDE, 96, 128)


def measured(bundle: Bundle, name: str, photographs: list[Path]) -> dict[str, list[float]]:
    """Mean gain in decibels by damage, of one network with each of `SIDES`."""
    treatments = [Treatment(bundle.network(name), device="cpu", overview=side) for side in SIDES]
    found: dict[str, list[list[float]]] = {}
    for path in photographs:
        for one in specimens(path, bundle.entry(name).treats, 0):
            found.setdefault(one.kind, []).append([gain(one, treatment) for treatment in treatments])
    return {kind: [round(fmean(column), 4) for column in zip(*rows, strict=True)] for kind, rows in found.items()}


def main() -> None:
    """Reads the command line, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began, bundle = time.monotonic(), Bundle.load()
    paths = find_pictures(arguments.photographs)
    random.Random(0).shuffle(paths)
    gains = {}
    for group in bundle.groups:
        if all(create(kind).everywhere for kind in group.degradations):
            gains[group.network] = measured(bundle, group.network, paths[: arguments.count])
    record = provenance(["python", *sys.argv], [0], time.monotonic() - began)
    counted = min(arguments.count, len(paths))
    write_result(arguments.output, {"provenance": record, "photographs": counted, "sides": SIDES, "gains": gains})


if __name__ == "__main__":
    main()
