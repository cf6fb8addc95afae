"""What watches a training: every side effect but checkpoints and weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a training ended.

    Attributes:
        step: Steps done.
        steps: Steps the recipe asks for; more than `step` where the training was stopped.
        seconds: Time trained, earlier runs included.
        best_gain: Best mean gain over the damaged validation pictures, dB; -inf before the first validation.
        best_step: The step it was reached at.
    """

    step: int
    steps: int
    seconds: float
    best_gain: float
    best_step: int


class Callback:
    """Told of events on the first device's process; the defaults do nothing."""

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        """Before the first step of this run: steps done before, steps in all, what `run` found out."""

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """After optimiser step number `step`: scalar terms and the learning rate."""

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """After a validation: PSNR in dB by degradation and the mean "gain"; `best` if the best so far."""

    def on_end(self, result: FitResult | None) -> None:
        """When the run ends; None where an error ended it."""


class Journal(Callback):
    """Appends JSON lines to `FOLDER/journal.jsonl` and TensorBoard events to `FOLDER/tensorboard`.

    A run that ended without saving leaves lines of steps that its resumption does again: lines before a
    "start" line are void where their step is greater.

    Args:
        folder: The run's folder, which exists.
        every: Steps between two training lines; each term is its mean over those it is given in.
    """

    def __init__(self, folder: Path, every: int = 50) -> None:
        self.folder = folder
        self.every = every
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._step, self._rate = 0, 0.0
        self._board: SummaryWriter | None = None

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        """Notes the start and opens the event file."""
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step + 1)
        self._line("start", step, {"steps": steps, **facts})

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """Sums the terms and writes their means every so many steps."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        self._step, self._rate = step, rate
        if step % self.every == 0:
            self._write_means()

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """Writes all scores."""
        self._line("validation", step, {"best": best, **scores})
        self._plot("validation", step, scores)

    def on_end(self, result: FitResult | None) -> None:
        """Writes the steps not yet written and closes the event file."""
        if self._sums:
            self._write_means()
        if self._board:
            self._board.close()

    def _write_means(self) -> None:
        means = {name: value / self._counts[name] for name, value in self._sums.items()}
        self._line("train", self._step, {"mean_over": max(self._counts.values()), "rate": self._rate, **means})
        self._plot("train", self._step, {**means, "rate": self._rate})
        self._sums, self._counts = {}, {}

    def _line(self, event: str, step: int, content: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "time": now, "step": step, **content}) + "\n")

    def _plot(self, group: str, step: int, values: dict[str, float]) -> None:
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)
