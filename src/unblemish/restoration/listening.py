"""Who is told of the progress of a long procedure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unblemish.restoration.calibrating import Progress
from unblemish.restoration.group_finding import Say
from unblemish.training.callbacks import Callback


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of progress; the defaults tell nobody.

    Attributes:
        say: Told in one line what begins or was found.
        progress: Told how much of a measurement is done.
        callbacks: Makes what watches a training.
    """

    say: Say = lambda line: None
    progress: Progress = lambda what, done, total: None
    callbacks: Callable[[], Sequence[Callback]] = tuple


SILENT = Listener()
