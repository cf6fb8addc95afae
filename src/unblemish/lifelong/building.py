"""The task of each stage of LIRA from its recipe."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import torch
import torch.distributed as dist

from unblemish.lifelong.errors import LifelongError
from unblemish.lifelong.experts_task import ExpertsTask
from unblemish.lifelong.grow_task import GrowTask
from unblemish.lifelong.growing import frozen, join_experts, join_nafnet, start_growing
from unblemish.lifelong.importance import fisher_information
from unblemish.lifelong.replay_task import ReplayTask
from unblemish.lifelong.strategies import (
    UNPROTECTED,
    Consolidation,
    Distillation,
    OldBatches,
    OldKnowledge,
    Rehearsal,
    Replay,
    Unprotected,
)
from unblemish.networks.base import Network
from unblemish.networks.lira import Lira
from unblemish.networks.loading import load_described
from unblemish.networks.nafnet import NAFNet
from unblemish.networks.replay_generator import ReplayGenerator
from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.division import patch_source, split_pictures, without
from unblemish.training.lifelong_part import NETWORKS, GrowPart, JoinPart, ReplayPart
from unblemish.training.losses import Loss
from unblemish.training.recipe import Recipe
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Batch, RestorationTask, Task


def lifelong_task(recipe: Recipe, plain: RestorationTask, *, use_start: bool) -> Task:
    """The task of a recipe that has a part `lifelong`.

    Args:
        recipe: What to train.
        plain: The same recipe's task without it.
        use_start: Fill a network that grows with the old weights; else a checkpoint will.

    Raises:
        LifelongError: The stages' networks do not fit together.
        NetworkError: Weights cannot be read.
        TrainingError: The pictures of old tasks cannot be used.
    """
    part, network = recipe.lifelong, plain.network
    if isinstance(part, ReplayPart):
        assert isinstance(network, ReplayGenerator)  # the recipe is validated
        restorer = load_described(part.restorer).eval().requires_grad_(False)
        return ReplayTask(network, restorer, part)
    assert isinstance(network, Lira)
    if isinstance(part, JoinPart):
        if use_start and not recipe.network.start:
            _join(network, part.experts)
        return plain
    if isinstance(part, GrowPart):
        old = load_lira(part.old)
        _check(part, old, network)
        if use_start and not recipe.network.start:
            start_growing(network, old)
        return GrowTask(network, plain.loss, knowledge(recipe, part, network, old, plain.loss), part.watch)
    return ExpertsTask(network, plain.loss, recipe.degradations.names)


def _join(network: Lira, experts: Path) -> None:
    """Fills a base network with the experts of a file."""
    trained = load_described(experts)
    if isinstance(trained, NAFNet):
        join_nafnet(network, trained)
    else:
        join_experts(network, _as_lira(trained, experts))


def knowledge(recipe: Recipe, part: GrowPart, network: Lira, old: Lira, loss: Loss) -> OldKnowledge:
    """The strategy that a recipe names.

    Args:
        recipe: What to train.
        part: Its part `lifelong`.
        network: As it starts.
        old: R, frozen.
        loss: Of the old tasks.
    """
    if part.strategy == "lira":
        generators = [_generator(path) for path in part.replay]
        return Replay(generators, old, part.ratio, part.old_weight, loss)
    if part.strategy == "lwf":
        return Distillation(old, part.ratio, part.old_weight, loss)
    if part.strategy == "joint":
        rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
        return Rehearsal(old_batches(recipe, part, rank), part.ratio, part.old_weight, loss)
    if part.strategy == "ewc":
        start = _started_from(network, old)
        important = fisher_information(start, _old_patches(recipe, part), loss)
        return Consolidation(important, start, part.importance_weight)
    return Unprotected(UNPROTECTED.get(part.strategy, part.ratio))


def old_batches(recipe: Recipe, part: GrowPart, rank: int = 0) -> OldBatches:
    """Pictures of the old tasks, damaged as each of them knows it; held-out ones are not among them.

    Args:
        recipe: What to train.
        part: Its part `lifelong`.
        rank: Of the device: each one sees pictures of its own.

    Raises:
        TrainingError: There are none.
    """
    folder = part.old_folder or recipe.data.folder
    data = recipe.data.model_copy(update={"folder": folder, "pairs": None})
    own = recipe.model_copy(update={"data": data})
    sources = without(split_pictures(own)[0], split_pictures(recipe)[1])
    source = patch_source(own, sources)
    damages = [Synthesis([name], recipe.degradations.clean) for name in part.watch]

    def draw(task: int, step: int, device: torch.device) -> Batch:
        stream = f"old task {task}" + (f" on device {rank}" if rank else "")
        return draw_batch(own, source, damages[task], step_seed(recipe.seed, stream, step), device)

    return draw


def _old_patches(recipe: Recipe, part: GrowPart) -> Iterator[tuple[int, Batch]]:
    """Batches of the old tasks, equally many of each, which importance is measured on."""
    draw, tasks = old_batches(recipe, part), len(part.watch)
    for step in range(1, -(-part.importance_patches // (recipe.batch * tasks)) + 1):
        for task in range(tasks):
            yield task, draw(task, step, torch.device("cpu"))


def _started_from(network: Lira, old: Lira) -> Lira:
    """A network like the first with the second's weights, for both to be compared weight by weight."""
    start = deepcopy(network)
    start.load_state_dict({**start.state_dict(), **old.state_dict()})
    return start.requires_grad_(True)


def load_lira(path: Path) -> Lira:
    """A network that can grow from its weights' file, frozen.

    Raises:
        LifelongError: The file holds another network.
        NetworkError: It cannot be read.
    """
    return frozen(_as_lira(load_described(path), path))


def _as_lira(network: Network, path: Path) -> Lira:
    if not isinstance(network, Lira):
        raise LifelongError(f"{path}: holds no network that can grow: give weights of {', '.join(NETWORKS)}")
    return network


def _generator(path: Path) -> Network:
    network = load_described(path)
    if not isinstance(network, ReplayGenerator):
        raise LifelongError(f"{path}: holds no generator: give weights of a recipe with lifelong.stage=replay")
    return network.eval().requires_grad_(False)


def _check(part: GrowPart, old: Lira, network: Lira) -> None:
    """Complains where old tasks, their generators and their damage are not equally many."""
    for key, given, needed in (
        ("replay", len(part.replay), part.strategy == "lira"),
        ("watch", len(part.watch), bool(part.watch)),
    ):
        if needed and given != old.grown + 1:
            raise LifelongError(
                f"{part.old}: has learnt {old.grown + 1} tasks: name as many under lifelong.{key}, from the first on, "
                f"not {given}"
            )
    if network.grown != old.grown + 1:
        raise LifelongError(
            f"{part.old}: has grown {old.grown} times: set network.options.grown={old.grown + 1}, not {network.grown}"
        )
