"""Networks that improve an estimate step by step, as often as they are asked to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from unblemish.networks.base import Network


class IterativeNetwork(Network):
    """A network whose number of iterations is free: a first estimate, and corrections of it.

    Attributes:
        iterations: Corrections after the first estimate, from 0. May be set at any time.
        tolerance: Stop before, once a correction changes every picture of a batch by less than this share of its norm;
            None never stops. Must stay None where the network is traced or compiled.
    """

    iterations: int
    tolerance: float | None = None

    @abstractmethod
    def estimates(self, x: Tensor) -> Iterator[Tensor]:
        """The first estimate and its corrections without end, from and to what `transform` takes and returns."""

    def extra_repr(self) -> str:
        """What a printed network says besides its layers, and what tells results of the same weights apart."""
        return f"iterations={self.iterations}, tolerance={self.tolerance}"

    def transform(self, x: Tensor) -> Tensor:
        """The estimate after `iterations` corrections, or the one at which they came to rest."""
        estimates = islice(self.estimates(x), self.iterations + 1)
        current = next(estimates)
        for corrected in estimates:
            resting = self.tolerance is not None and float(relative_update(current, corrected).max()) < self.tolerance
            current = corrected
            if resting:
                break
        return current


def relative_update(before: Tensor, after: Tensor) -> Tensor:
    """||after - before|| / ||before|| of each picture of two `(B, C, H, W)` batches: `(B,)` float32."""
    change, size = (x.float().flatten(1).norm(dim=1) for x in (after - before, before))
    return change / size.clamp(min=torch.finfo(torch.float32).tiny)
