"""Measures what the examiner says of undamaged pages, charts and cartoons, and of photographs with a caption.

    python recipes/examine_drawings.py PHOTOS --pictures 100 -o results/examination_drawings.json

The drawings come from the generator that calibration draws from, with other seeds; captions are written on PHOTOS.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from unblemish.degradations.quantisation import quantise_8bit
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.examination.drawings import captioned, drawing
from unblemish.pictures.folders import find_pictures
from unblemish.pictures.picture import to_float
from unblemish.pictures.reading import read
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.examining import load_examiner

SEED = 10**6
"""Far from the seeds of specimens, which begin with that of the calibration."""

SIZE = (384, 512)


def drawings(count: int) -> Iterator[Tensor]:
    """`(3, H, W)` each."""
    for number in range(count):
        yield drawing(*SIZE, np.random.default_rng([SEED, number]))


def captions(folder: Path, count: int) -> Iterator[Tensor]:
    """`(3, H, W)` each."""
    for number, path in enumerate(find_pictures(folder)[:count]):
        pixels = torch.from_numpy(to_float(read(path).pixels)).permute(2, 0, 1).expand(3, -1, -1)
        yield captioned(pixels.contiguous(), np.random.default_rng([SEED, number]))


def main() -> None:
    """Reads the command line, examines, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began = time.monotonic()
    examiner = load_examiner(Bundle.load(), "auto")
    subjects = {
        "drawings": drawings(arguments.pictures),
        "captioned photographs": captions(arguments.photos, arguments.pictures),
    }
    findings = {
        name: dict(Counter(examiner.examine_tensor(quantise_8bit(x)).finding for x in pictures))
        for name, pictures in subjects.items()
    }
    record = provenance(["python", *sys.argv], [SEED], time.monotonic() - began)
    write_result(arguments.output, {"provenance": record, "findings": findings})


if __name__ == "__main__":
    main()
