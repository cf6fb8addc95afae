from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from unblemish.commands.search_progress import SearchProgress, summary, table
from unblemish.training.callbacks import FitResult

FACTS: dict[str, Any] = {
    "device": "cpu", "devices": 1, "parameters": 1234567, "pictures": 9, "protocol": "rgb: RGB", "broken": [],
}  # fmt: skip

WARMING = {"loss": 0.5, "alpha/1.1": 0.25, "alpha/1.2": 0.875, "alpha/2.1": 0.5}
LEARNING = WARMING | {"architecture/loss": 0.5, "architecture/polarisation": 0.2, "architecture/complexity": 0.5}
LINE = "architecture PF/P, gap 0.42"  # (0.5 + 0.75 + 0) / 3


def console(width: int = 80, terminal: bool = True) -> Console:
    return Console(file=io.StringIO(), record=True, width=width, force_terminal=terminal, legacy_windows=False)


def rows(width: int) -> list[str]:
    shown = console(width)
    shown.print(table(WARMING, shown))
    return [line.rstrip() for line in shown.export_text().splitlines()]


def run(shown: Console) -> list[str]:
    progress = SearchProgress(console=shown)
    progress.on_start(0, 4, FACTS)
    for step, terms in ((1, WARMING), (2, LEARNING)):
        progress.on_step(step, terms, 1e-3)
        progress.on_validation(step, {"jpeg": 30.0, "gain": 1.0}, best=False)
    progress.on_end(FitResult(step=2, steps=4, seconds=60.0, best_gain=1.0, best_step=1))
    return [line.rstrip() for line in shown.export_text().splitlines()]


def test_the_table_has_a_row_a_cell_and_a_column_a_column() -> None:
    assert rows(80) == [
        "fusion α  column 1         column 2",
        "cell 1    P 0.25 ██░░░░░░  F 0.88 ███████░",
        "cell 2    P 0.50 ████░░░░",
    ]


def test_bars_shrink_and_vanish_where_there_is_no_room() -> None:
    assert rows(36)[1] == "cell 1    P 0.25 █░░░  F 0.88 ████"
    assert rows(30)[1] == "cell 1    P 0.25    F 0.88"


def test_modules_are_coloured() -> None:
    shown = console()
    shown.print(table(WARMING, shown))
    page = shown.export_html()
    assert page.count("#3a8fd0") >= 1
    assert page.count("#e07b28") >= 1


def test_the_warm_up_is_said() -> None:
    assert summary(WARMING) == f"{LINE} (warm-up: the weights alone are learnt)"
    assert summary(LEARNING) == LINE


def test_a_pipe_gets_a_line_at_each_validation() -> None:
    lines = run(console(terminal=False))
    assert [line for line in lines if line.startswith(("step", "arch", "cell"))] == [
        lines[2],
        f"{LINE} (warm-up: the weights alone are learnt)",
        lines[4],
        LINE,
    ]
    assert lines[2].startswith("step 1: gain +1.00 dB")
    assert lines[4].startswith("step 2: gain +1.00 dB")


def test_a_terminal_gets_the_table_above_the_bar() -> None:
    lines = run(console(width=100))
    last = next(place for place, line in enumerate(lines) if line.startswith("2 of 4 steps"))
    assert [line.split(" ")[0] for line in lines[last - 4 : last]] == ["cell", "cell", "architecture", "loss"]
    assert "2/4" in lines[last - 1]
    assert lines[last - 2] == LINE
    assert not any(line.startswith(LINE) for line in lines[: last - 5])


def test_terms_without_alphas_have_no_table() -> None:
    with pytest.raises(ValueError, match="empty"):
        table({"loss": 1.0}, console())
