"""What commands show on a terminal; in a pipe there are no bars, only lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from unblemish.training.callbacks import Callback, FitResult


class _Bar(Progress):
    """A bar below what `above` gives whenever it is drawn."""

    def __init__(
        self, *columns: ProgressColumn, console: Console, above: Callable[[], Iterable[RenderableType]]
    ) -> None:
        self._above = above  # first, as the parent's constructor draws
        super().__init__(*columns, console=console, disable=not console.is_terminal)

    def get_renderables(self) -> Iterable[RenderableType]:
        """What is above, and the bar."""
        yield from self._above()
        yield from super().get_renderables()


def progress_bar(console: Console | None = None, above: Callable[[], Iterable[RenderableType]] = tuple) -> Progress:
    """A bar with count, time passed and time left, on standard error; invisible where that is no terminal.

    Args:
        console: Where to instead.
        above: Gives what stands above the bar; asked whenever it is drawn.
    """
    return _Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
        above=above,
    )


class TrainingProgress(Callback):
    """Shows a training: a bar with loss and time left on a terminal, lines for validations everywhere.

    Args:
        advice: How a stopped training goes on.
        progress: The bar; None makes one.
    """

    def __init__(self, advice: str = "add --resume to go on", progress: Progress | None = None) -> None:
        self._advice = advice
        self._progress = progress or progress_bar()
        self._bar = self._progress.add_task("train", total=None)
        self._first, self._steps, self._began = 0, 0, 0.0

    def on_start(self, step: int, steps: int, facts: dict[str, Any]) -> None:
        """Says what is trained where, and which pictures are skipped."""
        self._first, self._steps, self._began = step, steps, time.monotonic()
        self._progress.start()
        self._progress.update(self._bar, total=steps, completed=step)
        broken = facts["broken"]
        for line in broken:
            self._say(f"skipped: {line}")
        self._say(
            f"{facts['parameters']:,} parameters, {facts['pictures']} pictures ({len(broken)} skipped), "
            f"{facts['devices']} x {facts['device']}, steps {step + 1} to {steps}"
        )
        for key, title in (("contrast", "contrastive"), ("perceptual", "perceptual")):
            if loss := facts.get(key):
                self._say(f"{title} loss on features of: {loss['embedding']['network']}")
        self._say(f"PSNR in validation: {facts['protocol']}")

    def on_step(self, step: int, terms: dict[str, float], rate: float) -> None:
        """Moves the bar."""
        self._progress.update(self._bar, completed=step, description=f"loss {terms['loss']:.4f}")

    def on_validation(self, step: int, scores: dict[str, float], best: bool) -> None:
        """Prints the scores and the time left."""
        each = " ".join(f"{name} {value:.2f}" for name, value in scores.items() if name != "gain")
        mark = " (best)" if best else ""
        seconds = (time.monotonic() - self._began) / (step - self._first) * (self._steps - step)
        left = timedelta(seconds=round(seconds))
        self._say(f"step {step}: gain {scores['gain']:+.2f} dB{mark} | {each} | {left} left")

    def on_end(self, result: FitResult | None) -> None:
        """Says how the training ended, unless by an error, which says so itself."""
        self._progress.stop()
        if result is None:
            return
        ended = "done" if result.step == result.steps else f"stopped; {self._advice}"
        best = f" Best mean gain {result.best_gain:+.2f} dB at step {result.best_step}." if result.best_step else ""
        self._say(f"{result.step} of {result.steps} steps in {result.seconds / 60:.1f} min, {ended}.{best}")

    def _say(self, line: str) -> None:
        self._progress.console.print(escape(line), highlight=False, soft_wrap=True)
