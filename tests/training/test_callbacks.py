from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from unblemish.training.callbacks import FitResult, Journal

RESULT = FitResult(step=5, steps=5, seconds=1.0, best_gain=2.0, best_step=4)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Files of one second are read in the order of their numbers' letters, in which 10 comes before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    journal = Journal(tmp_path, every=2)
    journal.on_start(0, 5, {"device": "cpu"})
    for step in range(1, 6):
        journal.on_step(step, {"loss": float(step)}, rate=step / 10)
        if step == 4:
            journal.on_validation(4, {"jpeg": 30.0, "gain": 2.0}, best=True)
    journal.on_end(RESULT)
    return tmp_path


def test_lines_hold_means_scores_and_the_rest_at_the_end(folder: Path) -> None:
    found = lines(folder)
    assert all(line.pop("time") for line in found)
    assert found == [
        {"event": "start", "step": 0, "steps": 5, "device": "cpu"},
        {"event": "train", "step": 2, "mean_over": 2, "rate": 0.2, "loss": 1.5},
        {"event": "train", "step": 4, "mean_over": 2, "rate": 0.4, "loss": 3.5},
        {"event": "validation", "step": 4, "best": True, "jpeg": 30.0, "gain": 2.0},
        {"event": "train", "step": 5, "mean_over": 1, "rate": 0.5, "loss": 5.0},
    ]


def test_tensorboard_shows_the_same(folder: Path) -> None:
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    assert set(board.Tags()["scalars"]) == {"train/loss", "train/rate", "validation/jpeg", "validation/gain"}
    assert [(e.step, e.value) for e in board.Scalars("train/loss")] == [(2, 1.5), (4, 3.5), (5, 5.0)]
    assert [(e.step, e.value) for e in board.Scalars("validation/gain")] == [(4, 2.0)]


def test_a_resumed_journal_goes_on_in_the_same_files(folder: Path) -> None:
    journal = Journal(folder, every=2)
    journal.on_start(2, 5, {})
    journal.on_step(3, {"loss": 9.0}, rate=0.3)
    journal.on_end(None)
    assert [line["step"] for line in lines(folder)[-2:]] == [2, 3]
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    # What came after step 2 is taken back: it is trained again.
    assert [(e.step, e.value) for e in board.Scalars("train/loss")] == [(2, 1.5), (3, 9.0)]


def test_a_journal_that_never_started_ends_quietly(tmp_path: Path) -> None:
    Journal(tmp_path).on_end(None)
    assert list(tmp_path.iterdir()) == []


def test_a_term_is_averaged_over_the_steps_that_have_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, every=4)
    journal.on_start(0, 4, {})
    for step in range(1, 5):
        journal.on_step(step, {"loss": 1.0} | ({"late": 6.0} if step > 3 else {}), rate=0.1)
    journal.on_end(None)
    assert {key: lines(tmp_path)[-1][key] for key in ("mean_over", "loss", "late")} == {
        "mean_over": 4, "loss": 1.0, "late": 6.0
    }  # fmt: skip
