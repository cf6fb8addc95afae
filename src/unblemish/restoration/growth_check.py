"""What the old tasks of a grown network lose, measured without their pictures: on what generators replay of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from unblemish.lifelong.pseudo_samples import pseudo_pairs
from unblemish.networks.base import Network
from unblemish.networks.lira import Lira
from unblemish.restoration.errors import RestorationError
from unblemish.training.division import split_pictures
from unblemish.training.recipe import Recipe
from unblemish.training.validation import BATCH, Validation


class GrowthRefusedError(RestorationError):
    """A grown network has forgotten more of its old tasks than allowed."""


class Retention(NamedTuple):
    """What a network makes of an old task's replayed pictures.

    Attributes:
        task: Name of its network in the bundle.
        before: Mean PSNR to the clean pictures by the network as it was, dB.
        after: The same by the grown network.
    """

    task: str
    before: float
    after: float

    @property
    def loss(self) -> float:
        """Decibels; negative where the task has gained."""
        return self.before - self.after


def held_out_crops(recipe: Recipe) -> Validation:
    """The pictures that a recipe validates on, clean.

    Raises:
        TrainingError: No picture can be used.
    """
    return Validation(split_pictures(recipe)[1], crop=recipe.validation.crop, names=(), seed=recipe.seed)


@torch.inference_mode()
def measure_retention(
    old: Lira, grown: Lira, generators: Sequence[Network], names: Sequence[str], pictures: Validation
) -> list[Retention]:
    """Compares R and the grown network on G*(y) for every old task.

    Args:
        old: R, in evaluation mode, float32, on the CPU.
        grown: The same after it grew, with weights as they ship.
        generators: G* of each old task.
        names: Of the old tasks.
        pictures: Has y, and says how PSNR is computed.
    """
    found = []
    for task, (generator, name) in enumerate(zip(generators, names, strict=True)):
        before, after = [], []
        for clean in pictures.clean.split(BATCH):  # (B, 3, crop, crop)
            damaged, restored = pseudo_pairs(generator, old.on_task(task), clean)
            before.append(pictures.psnr(restored, clean))
            after.append(pictures.psnr(grown.on_task(task)(damaged).float().clamp(0.0, 1.0), clean))
        found.append(Retention(name, _mean(before), _mean(after)))
    return found


def require_retention(found: Sequence[Retention], tolerance: float, ratio: float) -> None:
    """Refuses a grown network that has forgotten too much.

    Args:
        found: Of all old tasks.
        tolerance: Decibels that each may lose.
        ratio: rho of the training, for the advice.

    Raises:
        GrowthRefusedError: One has lost more; the message names all of them.
    """
    if all(one.loss <= tolerance for one in found):
        return
    each = "; ".join(f"{one.task} {one.before:.3f} dB before, {one.after:.3f} dB after" for one in found)
    raise GrowthRefusedError(
        f"the grown network is refused, for it forgets more than {tolerance:g} dB of what it knew: on replayed "
        f"pictures {each}. Nothing is written but the runs. Lower lifelong.ratio, which was {ratio:g}, or --steps; or "
        "allow more with --tolerance"
    )


def _mean(parts: Sequence[Tensor]) -> float:
    return float(torch.cat(list(parts)).mean())
