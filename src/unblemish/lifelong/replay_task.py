"""The stage of LIRA's training in which a generator learns to replay an old task's damage (Sec. 3.3, Eq. 15 to 17)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Self, final

import torch
from torch import Tensor, nn

from unblemish.lifelong.adversarial import ADVERSARIAL
from unblemish.lifelong.damage_strengths import strengths_apart
from unblemish.lifelong.discriminator import Discriminator
from unblemish.lifelong.errors import LifelongError
from unblemish.lifelong.pool import GeneratedPool
from unblemish.lifelong.pseudo_samples import pseudo_pairs
from unblemish.networks.base import Network
from unblemish.networks.replay_generator import ReplayGenerator
from unblemish.training.lifelong_part import ReplayPart
from unblemish.training.losses import l1
from unblemish.training.task import Batch, Task
from unblemish.training.validation import BATCH, CLEAN, Validation


@final
class ReplayTask(Task):
    """A game of two: the generator damages clean patches, the discriminator tells them from really damaged ones.

    `step` moves the discriminator with an Adam of its own, which the checkpoint keeps, and returns the generator's
    loss. The restorer stays as it is; gradients flow through it to the generator.

    Args:
        generator: G, changed in place.
        restorer: R, the trained network of the old task; frozen here, and kept in evaluation mode.
        part: How they learn.
    """

    def __init__(self, generator: ReplayGenerator, restorer: Network, part: ReplayPart) -> None:
        super().__init__()
        self.network = generator
        self.restorer = restorer.eval().requires_grad_(False)
        self.part = part
        # At rest the discriminator wants no gradients: the generator's loss goes through it, too.
        self.discriminator = Discriminator(part.discriminator_width, part.details, part.paired).requires_grad_(False)
        self.pool = GeneratedPool(part.pool)
        self._adversarial = ADVERSARIAL[part.adversarial]
        self._judges = list(self.discriminator.parameters())
        self._adam = torch.optim.Adam(self._judges, part.discriminator_rate, part.betas)

    def train(self, mode: bool = True) -> Self:
        """See `nn.Module.train`; the restorer stays in evaluation mode."""
        super().train(mode)
        self.restorer.eval()
        return self

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """See `Task.step`: "loss" is Eq. 17, "output" the pseudo damaged batch `(B, 3, H, W)` float32.

        "adversarial" is the generator's part of Eq. 15, "cycle" Eq. 16 before its weight, "discriminator" the loss by
        which that one has just moved; "matching" `strengths_apart`, of damaged and of restored pictures, before its
        weight, where it has one.
        """
        damaged = self.network(batch.clean).float()
        judging = self._move_discriminator(batch, damaged)
        adversarial = self._adversarial.deceiving(self.discriminator(damaged, batch.clean))
        restored = self.restorer(damaged).float()
        cycle = l1(restored, batch.clean)
        loss = adversarial + self.part.cycle_weight * cycle
        terms = {"adversarial": adversarial.detach(), "cycle": cycle.detach(), "discriminator": judging}
        if self.part.matching_weight:
            matching = strengths_apart(damaged, batch.degraded, batch.clean)
            matching = matching + strengths_apart(restored, self._truly_restored(batch), batch.clean)
            loss = loss + self.part.matching_weight * matching
            terms["matching"] = matching.detach()
        return {"loss": loss, "output": damaged, **terms}

    def trainable(self) -> list[nn.Parameter]:
        """The generator's weights."""
        return list(self.network.parameters())

    def score(
        self, network: nn.Module, validation: Validation, device: torch.device, batches: int | None = None
    ) -> dict[str, float]:
        """How much like real damage the generated one is, in decibels.

        Args:
            network: G, with averaged weights.
            validation: Has the pictures; undamaged ones count as clean alone.
            device: Where the networks are.
            batches: Only so many batches of clean pictures, each with all of its damage; None for all.

        Returns:
            Mean PSNR against the clean pictures: "damage" of generated damage, "real_damage" of real damage, "restored"
            and "real_restored" of what R makes of them; and "gain" = -(|damage - real_damage| + |restored -
            real_restored|), 0 where generated damage is as strong, and as hard to restore, as real damage.

        Raises:
            LifelongError: There are no damaged pictures.
        """
        found: dict[str, list[Tensor]] = {}
        for clean, real in islice(_batches(validation), batches):
            damaged, restored = pseudo_pairs(network, self.restorer, clean.to(device))
            found.setdefault("damage", []).append(validation.psnr(damaged.cpu(), clean))
            found.setdefault("restored", []).append(validation.psnr(restored.cpu(), clean))
            for pictures in real:
                with torch.no_grad():
                    restored = self.restorer(pictures.to(device)).float().cpu()
                found.setdefault("real_damage", []).append(validation.psnr(pictures, clean))
                found.setdefault("real_restored", []).append(validation.psnr(restored, clean))
        scores = {name: float(torch.cat(parts).mean()) for name, parts in found.items()}
        apart = [abs(scores[name] - scores[f"real_{name}"]) for name in ("damage", "restored")]
        return {**scores, "gain": -sum(apart)}

    def get_extra_state(self) -> dict[str, Any]:
        """State of the discriminator's optimiser, for the checkpoint."""
        return {"adam": self._adam.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes that back; the optimiser's settings stay those of `part`."""
        self._adam.load_state_dict({**state["adam"], "param_groups": self._adam.state_dict()["param_groups"]})

    def _truly_restored(self, batch: Batch) -> Tensor:
        """What R makes of real damage, `(B, 3, H, W)` float32; what it was not trained with, it leaves otherwise."""
        with torch.no_grad():
            restored = self.restorer(batch.degraded).float()
        # Autocast remembers weights that were cast without gradients, and later uses would have none.
        torch.clear_autocast_cache()
        return restored

    def _move_discriminator(self, batch: Batch, damaged: Tensor) -> Tensor:
        """One step of the discriminator; half its loss slows it down against the generator (CycleGAN, Sec. 7.1)."""
        fake, before = self.pool(torch.cat([damaged, batch.clean], dim=1)).split(3, dim=1)  # (B, 3, H, W) each
        self.discriminator.requires_grad_(True)
        try:
            with torch.enable_grad():  # a rehearsal wants none
                judged = self.discriminator(batch.degraded, batch.clean), self.discriminator(fake, before)
                loss = 0.5 * self._adversarial.judging(*judged)
                gradients = torch.autograd.grad(loss, self._judges)
        finally:
            self.discriminator.requires_grad_(False)
        for weights, gradient in zip(self._judges, gradients, strict=True):
            weights.grad = gradient
        self._adam.step()
        self._adam.zero_grad()
        torch.clear_autocast_cache()  # autocast keeps copies of weights, which are those of before the step
        return loss.detach()


def _batches(validation: Validation) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Clean pictures `(B, 3, crop, crop)`, and the same of each degradation."""
    real = [pictures for name, pictures in validation.degraded.items() if name != CLEAN]
    if not real:
        raise LifelongError("a generator learns from damaged pictures: give degradations.names or data.pairs")
    for start in range(0, len(validation.clean), BATCH):
        rows = slice(start, start + BATCH)
        yield validation.clean[rows], [pictures[rows] for pictures in real]
