"""Adversarial losses between generated and real damage, on a discriminator's logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import final

import torch.nn.functional as F
from torch import Tensor


class Adversarial(ABC):
    """What the discriminator and the generator minimise in turn.

    Logits are `(B, 1, h, w)` float32, or any other shape; losses are their means.
    """

    @abstractmethod
    def judging(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss.

        Args:
            real: Logits of real damage.
            fake: Logits of generated damage.
        """

    @abstractmethod
    def deceiving(self, fake: Tensor) -> Tensor:
        """The generator's loss.

        Args:
            fake: Logits of generated damage.
        """


@final
class LeastSquares(Adversarial):
    """Squared distances of the logits from 1 for real and 0 for generated (Mao et al., ICCV 2017), as in CycleGAN."""

    def judging(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[(D(x) - 1)^2] + E[D(G(y))^2]."""
        return (real - 1).square().mean() + fake.square().mean()

    def deceiving(self, fake: Tensor) -> Tensor:
        """E[(D(G(y)) - 1)^2]."""
        return (fake - 1).square().mean()


@final
class Log(Adversarial):
    """LIRA's Eq. 15 on D = sigmoid(logits): the discriminator maximises it.

    The generator, which would minimise its second term, maximises E[log D(G(y))] instead, as usual since Goodfellow et
    al. (NeurIPS 2014, Sec. 3): the fixed point is the same, and the gradient does not vanish where D is sure.
    """

    def judging(self, real: Tensor, fake: Tensor) -> Tensor:
        """-E[log D(x)] - E[log(1 - D(G(y)))], the negative of Eq. 15."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def deceiving(self, fake: Tensor) -> Tensor:
        """-E[log D(G(y))]."""
        return F.softplus(-fake).mean()


ADVERSARIAL: Mapping[str, Adversarial] = {"least_squares": LeastSquares(), "log": Log()}
"""The losses by name."""
