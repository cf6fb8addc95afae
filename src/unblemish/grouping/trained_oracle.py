"""Finds out what degradations lose in a shared network by training it: the oracle of a real search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from unblemish.grouping.candidate import Candidate, carry_out, derive, fingerprint, finished
from unblemish.grouping.errors import GroupingError
from unblemish.grouping.problem import Group, Oracle
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task
from unblemish.training.task import TaskBuilder


class Backend(Protocol):
    """Where candidates are trained.

    Attributes:
        workers: How many at a time.
    """

    workers: int

    def map(self, candidates: Sequence[Candidate]) -> Iterable[dict[str, float]]:
        """Carries out all candidates; gives the scores of each, in their order, as they come."""
        ...


class InProcess:
    """One candidate after the other, in this process."""

    workers = 1

    def map(self, candidates: Sequence[Candidate]) -> Iterable[dict[str, float]]:
        """See `Backend.map`."""
        return map(carry_out, candidates)


class TrainedOracle(Oracle):
    """Trains a network for each group that is asked for, unless a folder of runs holds it already.

    All networks get the same number of steps, seed, starting weights and pictures; their scores are taken after the
    last step, on the same held-out pictures with the same damage. An interrupted search that is started again goes on
    where it was, for every training has a folder named after all that determines it.

    Args:
        base: Recipe of every candidate but for its degradations and steps; it names the degradations to group.
        budget: Steps of each training.
        runs: Folder with a folder for each training.
        backend: Where to train.
        accelerator: As of `training.run.train`.
        build: As of `training.run.train`.
        on_training: Called with the groups whose training begins now.

    Attributes:
        trained: Groups of one and more that were trained by this oracle and not found in `runs`.

    Raises:
        GroupingError: There are too few or too many degradations, or the budget is below one.
        UserError: The recipe does not allow the budget, or its files cannot be read.
    """

    def __init__(
        self,
        base: Recipe,
        budget: int,
        runs: Path,
        *,
        backend: Backend | None = None,
        accelerator: str = "auto",
        build: TaskBuilder = build_task,
        on_training: Callable[[Sequence[Group]], None] = lambda _: None,
    ) -> None:
        super().__init__(base.degradations.names)
        if budget < 1:
            raise GroupingError(f"a budget of {budget} steps trains nothing; give 1 or more")
        self._base, self._budget, self._runs = base, budget, runs
        self._backend = backend or InProcess()
        self._accelerator = accelerator
        self._build = build
        self._on_training = on_training
        self._scores: dict[Group, dict[str, float]] = {}
        self.workers = self._backend.workers
        self.trained: list[Group] = []
        self.folder(self.names)  # complains now about what every candidate would complain of

    def folder(self, group: Group) -> Path:
        """Where the training of a group stands or will stand."""
        return self._runs / fingerprint(derive(self._base, group, self._budget))

    def protocol(self) -> str:
        """How the scores of the candidates are computed, one line.

        Raises:
            GroupingError: Nothing has been trained yet.
        """
        done = finished(self.folder(self.names[:1]))
        if not done:
            raise GroupingError("no candidate has been scored yet; ask for scores first")
        return done["protocol"]

    def scores(self, groups: Sequence[Group]) -> list[dict[str, float]]:
        """PSNR in dB by member of each group's network; those not yet trained are trained together.

        Raises:
            SearchStoppedError: The user ended a training, which is saved.
            UserError: A training failed.
        """
        missing: dict[Group, Candidate] = {}
        for group in groups:
            if group in self._scores or group in missing:
                continue
            recipe = derive(self._base, group, self._budget)
            folder = self._runs / fingerprint(recipe)
            if done := finished(folder):
                self._scores[group] = done["psnr"]
            else:
                missing[group] = Candidate(recipe, folder, self._accelerator, self._build)
        waiting = list(missing)
        for start in range(0, len(waiting), self.workers):
            batch = waiting[start : start + self.workers]
            self._on_training(batch)
            results = self._backend.map([missing[group] for group in batch])
            for group, found in zip(batch, results, strict=True):
                self._scores[group] = found
                self.trained.append(group)
        return [self._scores[group] for group in groups]

    def _measure(self, groups: Sequence[Group]) -> list[dict[str, float]]:
        singles = [(name,) for name in self.names]
        found = self.scores([*singles, *groups])
        upper = {name: found[number][name] for number, name in enumerate(self.names)}
        shared = found[len(singles) :]
        return [{name: upper[name] - psnr[name] for name in psnr} for psnr in shared]
