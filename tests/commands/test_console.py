from __future__ import annotations

from typing import Any

import pytest

from unblemish.commands.console import TrainingProgress, progress_bar
from unblemish.training.callbacks import FitResult

FACTS: dict[str, Any] = {
    "device": "cpu", "devices": 1, "parameters": 1234567, "pictures": 9, "protocol": "rgb: RGB, no crop",
    "broken": ["a [b].png: is damaged", "c.png: smaller"],
}  # fmt: skip


def test_there_is_no_bar_in_a_pipe() -> None:
    assert progress_bar().disable


def test_a_training_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = TrainingProgress()
    progress.on_start(10, 40, FACTS)
    progress.on_step(11, {"loss": 0.5}, 1e-3)
    progress.on_validation(20, {"jpeg": 30.123, "gain": -1.5}, best=True)
    progress.on_end(FitResult(step=20, steps=40, seconds=90.0, best_gain=-1.5, best_step=20))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "skipped: a [b].png: is damaged",
        "skipped: c.png: smaller",
        "1,234,567 parameters, 9 pictures (2 skipped), 1 x cpu, steps 11 to 40",
        "PSNR in validation: rgb: RGB, no crop",
        "step 20: gain -1.50 dB (best) | jpeg 30.12 | 0:00:00 left",
        "20 of 40 steps in 1.5 min, stopped; add --resume to go on. Best mean gain -1.50 dB at step 20.",
    ]


def test_an_end_without_a_validation_names_no_best(capsys: pytest.CaptureFixture[str]) -> None:
    progress = TrainingProgress()
    progress.on_end(FitResult(step=2, steps=2, seconds=0.0, best_gain=float("-inf"), best_step=0))
    progress.on_end(None)
    assert capsys.readouterr().err.splitlines() == ["2 of 2 steps in 0.0 min, done."]
