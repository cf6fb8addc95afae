"""Candidates trained side by side with Ray, on one machine or on a cluster that shares its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from unblemish.grouping.candidate import Candidate, carry_out
from unblemish.grouping.errors import GroupingError


class RayBackend:
    """A `trained_oracle.Backend` with one candidate on each GPU, or on each processor core where there is no GPU.

    A Ray that runs already is used, else one is started on this machine.

    Raises:
        GroupingError: Ray is not installed.
    """

    def __init__(self) -> None:
        try:
            import ray  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError as error:
            raise GroupingError("this needs Ray; install it with: pip install 'unblemish[ray]'") from error
        self._ray: Any = ray
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        self.workers = gpus or int(resources.get("CPU", 1))
        self._needs = {"num_gpus": 1} if gpus else {"num_cpus": 1}

    def map(self, candidates: Sequence[Candidate]) -> Iterator[dict[str, float]]:
        """Carries out all candidates; gives the scores of each, in their order.

        Raises:
            GroupingError: A candidate failed, for the reason in the message; those beside it go on to their end.
        """
        work = self._ray.remote(**self._needs)(carry_out)
        started = [work.remote(candidate) for candidate in candidates]
        for reference in started:
            try:
                yield self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                raise GroupingError(f"a candidate failed: {error.cause}") from error
