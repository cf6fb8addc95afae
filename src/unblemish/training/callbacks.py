"""What watches a training: every side effect but the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Callback:
    """Told of events on the first device's process; the defaults do nothing."""

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        """Before the first step of this run: steps done before, steps in all, and what was found out at the start."""

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """After optimiser step number `step`: scalar terms and the learning rate."""

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """After a validation: PSNR in dB by degradation and the mean "gain"; `best` if this is the best so far."""

    def on_end(self) -> None:
        """When the run ends, also by an error."""


class Journal(Callback):
    """Appends JSON lines to `FOLDER/journal.jsonl` and TensorBoard events to `FOLDER/tensorboard`.

    Args:
        folder: The run's folder, which exists.
        every: Steps between two training lines; the terms are means over them.
    """

    def __init__(self, folder: Path, every: int = 50) -> None:
        self.folder = folder
        self.every = every
        self._sums: dict[str, float] = {}
        self._count = 0
        self._board: SummaryWriter | None = None

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        """Notes the start and opens the event file."""
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step + 1)
        self._line({"event": "start", "step": step, "steps": steps, **facts})

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """Sums the terms and writes their means every so many steps."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if step % self.every == 0:
            means = {name: value / self._count for name, value in self._sums.items()}
            self._line({"event": "train", "step": step, "rate": rate, **means})
            self._plot("train", step, {**means, "rate": rate})
            self._sums, self._count = {}, 0

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """Writes all scores."""
        self._line({"event": "validation", "step": step, "best": best, **scores})
        self._plot("validation", step, scores)

    def on_end(self) -> None:
        """Closes the event file."""
        if self._board:
            self._board.close()

    def _line(self, content: dict[str, Any]) -> None:
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")

    def _plot(self, group: str, step: int, values: dict[str, float]) -> None:
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)
