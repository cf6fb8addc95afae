"""What commands show on a terminal; in a pipe there are no bars, only lines."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from unblemish.training.callbacks import Callback


def progress_bar() -> Progress:
    """A bar with count, time passed and time left, on standard error; invisible where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


class TrainingProgress(Callback):
    """Shows a training: a bar with loss and ETA on a terminal, a line for each validation everywhere."""

    def __init__(self) -> None:
        self._progress = progress_bar()
        self._bar = self._progress.add_task("train", total=None)
        self._console = self._progress.console

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        """Says what is trained where."""
        self._progress.update(self._bar, total=steps, completed=step)
        skipped = f", {len(facts['broken'])} skipped" if facts["broken"] else ""
        self._console.print(
            f"{facts['parameters']:,} parameters, {facts['pictures']} pictures{skipped}, "
            f"{facts['devices']} x {facts['device']}, steps {step + 1} to {steps}",
            highlight=False,
        )

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """Moves the bar."""
        self._progress.update(self._bar, completed=step, description=f"loss {terms['loss']:.4f}")

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """Prints the scores."""
        each = " ".join(f"{name} {value:.2f}" for name, value in scores.items() if name != "gain")
        mark = " (best)" if best else ""
        self._console.print(f"step {step}: gain {scores['gain']:+.2f} dB{mark} | {each}", highlight=False, soft_wrap=True)
