"""What the arms of a study restore, side by side."""

from __future__ import annotations

from dataclasses import replace

import torch
from PIL import Image

from unblemish.evaluation.contact_sheets import contact_sheet, sheet_rows
from unblemish.studies.result import StudyResult
from unblemish.studies.scores import as_method
from unblemish.training.fit import FINAL

SIDE = 240
"""Of the central squares that are shown, pixels."""


def study_sheet(result: StudyResult) -> Image.Image:
    """A row for the first picture of each set and damage; columns are clean, damaged and the arms, of their first seed.

    Arms whose weights are not in the folder of runs are left out.

    Raises:
        ValueError: No arm is finished, or nothing is scored.
        NetworkError: Weights of a run cannot be read.
    """
    kept = {
        arm: next((one.run for one in result.of(arm) if (one.run.folder / FINAL).exists()), None) for arm in result.arms
    }
    methods = [as_method(run, torch.device("cpu"), arm) for arm, run in kept.items() if run]
    rows = [
        replace(row, label=f"{one.name} {row.label}")
        for one in result.sets
        for row in sheet_rows(one.cases, methods, SIDE)
    ]
    return contact_sheet(["clean", "damaged", *(method.name for method in methods)], rows, SIDE)
