"""The network of one group: trained, or read where it was trained before, with the card that a bundle needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor

from unblemish.degradations.catalogue import create as create_damage
from unblemish.evaluation.provenance import hardware, revision
from unblemish.examination.specimens import specimens
from unblemish.files import write_atomically
from unblemish.networks.base import Network
from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_weights
from unblemish.pictures.errors import PictureError
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.bundle_parts import NetworkCard
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.margin import measure_margin
from unblemish.restoration.methods import build_task
from unblemish.restoration.overview_choice import choose_overview
from unblemish.training.callbacks import Callback
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.division import split_pictures
from unblemish.training.fit import BEST, FINAL, LAST, save_described
from unblemish.training.loading import path_of
from unblemish.training.recipe import Recipe
from unblemish.training.run import train

CARD = "card.json"
"""In a training's folder: the network's card. It is written last and marks the training as finished."""

_LOOKED_AT = 2
"""Photographs on which the margin of tiles is measured, with each degradation of the group."""


class BuildStoppedError(RestorationError):
    """The user stopped a training; it is saved, and the same command goes on."""


def group_name(members: Sequence[str]) -> str:
    """What a group is called: by its members, or by the first where there are many.

    Groups of one partition share no member, so their names differ.
    """
    return "-".join(members) if len(members) <= 3 else f"{members[0]}-and-{len(members) - 1}-more"


def carry_out(
    recipe: Recipe, folder: Path, accelerator: str, callbacks: Callable[[], Sequence[Callback]] = tuple
) -> NetworkCard:
    """Trains what is left to train; reads the card where nothing is.

    Args:
        recipe: Of the group.
        folder: Of this training and no other.
        accelerator: As of `training.run.train`.
        callbacks: Makes what is told of the training's progress.

    Returns:
        The card, whose licence and training set are to be filled in.

    Raises:
        BuildStoppedError: The user ended the training, which is saved.
        UserError: The training failed.
    """
    members = tuple(recipe.degradations.names)

    def finish() -> NetworkCard:
        title, command = f"the training of {' + '.join(members)}", "unblemish group build"
        train_through(recipe, folder, accelerator, callbacks, title=title, command=command)
        card = trained_card(
            recipe,
            folder,
            name=group_name(members),
            purpose=f"treats {', '.join(members).replace('_', ' ')}",
            treats=members,
            scores={f"psnr/{name}": name for name in members} | {"psnr_gain/validation": "gain"},
            command=command,
        )
        network = build_network(recipe, shipped_weights(recipe, folder))
        whole = all(create_damage(name).everywhere for name in members)
        overview = choose_overview(network, held_out_photographs(recipe), members, seed=recipe.seed) if whole else None
        return card.model_copy(update={"tile_margin": _margin(network, recipe), "overview": overview})

    return kept_card(folder, finish)


def kept_card(folder: Path, finish: Callable[[], NetworkCard]) -> NetworkCard:
    """The card of a training that was finished before; else finishes it, and keeps the card.

    Args:
        folder: Of this training and no other.
        finish: Trains, and makes the card.
    """
    if (folder / CARD).exists():
        return NetworkCard.model_validate_json((folder / CARD).read_bytes())
    card = finish()
    write_atomically(folder / CARD, card.model_dump_json(indent=2).encode())
    return card


def train_through(
    recipe: Recipe,
    folder: Path,
    accelerator: str,
    callbacks: Callable[[], Sequence[Callback]] = tuple,
    *,
    title: str,
    command: str,
) -> None:
    """Trains what is left to train, so that `folder` holds the best and the final weights.

    Args:
        recipe: What to train.
        folder: Of this training and no other.
        accelerator: As of `training.run.train`.
        callbacks: Makes what is told of the training's progress.
        title: What is trained, for the message of one that was stopped.
        command: For the records.

    Raises:
        BuildStoppedError: The user ended the training, which is saved.
        UserError: The training failed.
    """
    begun = (folder / LAST).exists()
    if not begun or Checkpoint.load(folder / LAST).step < recipe.steps:
        result = train(
            recipe, folder,
            build=build_task, resume=begun, accelerator=accelerator, callbacks=callbacks(), command=command.split(),
        )  # fmt: skip
        if result.step < result.steps:
            raise BuildStoppedError(
                f"stopped in {title} after {result.step} of {result.steps} steps; the same command goes on from here"
            )
    if not (folder / FINAL).exists():  # killed between the last checkpoint and the weights
        network = _network(recipe)
        network.load_state_dict(Checkpoint.load(folder / LAST).average)
        save_described(network, folder / FINAL, recipe, recipe.steps)


def shipped_weights(recipe: Recipe, folder: Path) -> dict[str, Tensor]:
    """The best weights of a finished training in half precision, as a bundle holds them."""
    network = _network(recipe)
    load_weights(network, folder / BEST)
    return {key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()}


def build_network(recipe: Recipe, weights: Mapping[str, Tensor]) -> Network:
    """A network that restores as that of the bundle will: float32, of `shipped_weights`, in evaluation mode."""
    network = _network(recipe)
    network.load_state_dict(dict(weights))
    return network.eval()


def _network(recipe: Recipe) -> Network:
    return create(recipe.network.name, recipe.network.options)


def trained_card(
    recipe: Recipe,
    folder: Path,
    *,
    name: str,
    purpose: str,
    treats: Sequence[str],
    scores: Mapping[str, str],
    command: str,
) -> NetworkCard:
    """What a finished training says about its best weights.

    Args:
        recipe: What was trained.
        folder: Where.
        name: Of the network.
        purpose: Of the network.
        treats: Degradations.
        scores: For each of the card's scores, which one of the validation it is.
        command: What the weights came from.

    Returns:
        The card, without a margin of tiles, whose licence and training set are to be filled in.
    """
    best = int(Checkpoint.load(folder / LAST).best["step"])
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if line["event"] == "validation" and line["step"] == best][-1]
    protocol = [line["protocol"] for line in lines if line["event"] == "start"][-1]
    device = hardware()
    rate = recipe.optimiser.rate
    contrast = f", contrast {recipe.contrast.method}" if recipe.contrast else ""
    perceptual = f", perceptual {recipe.perceptual.weight:g}" if recipe.perceptual else ""
    lifelong = f", lifelong {recipe.lifelong.stage}" if recipe.lifelong else ""
    return NetworkCard(
        name=name,
        purpose=purpose,
        treats=tuple(treats),
        architecture=recipe.network.name,
        options=recipe.network.model_dump(mode="json")["options"],
        steps=best,
        licence="unknown",
        training_set="unknown",
        recipe=f"{command}: {recipe.network.name}, {recipe.steps} steps of {recipe.batch} patches of "
        f"{recipe.data.patch} pixels, rate {rate:g}, loss {recipe.task.loss}{contrast}{perceptual}{lifelong}, "
        f"seed {recipe.seed}",
        protocol=f"validation of the training: {protocol}",
        scores={key: round(found[value], 4) for key, value in scores.items()},
        hardware=device["gpu"] or f"{device['cores']} cores of {device['cpu']}",
        revision=(revision() or {}).get("commit", ""),
    )


def _margin(network: Network, recipe: Recipe) -> int | None:
    """Pixels that tiles must overlap for the group's damage; None for networks that see the whole picture."""
    if network.receptive_field is None:
        return None
    paths = find_pictures(recipe.data.folder)
    damaged = chain.from_iterable(_damaged(path, recipe) for path in paths)
    return measure_margin(network, list(islice(damaged, _LOOKED_AT * len(recipe.degradations.names))))


def held_out_photographs(recipe: Recipe) -> list[Path]:
    """The clean pictures that a recipe validates on, in the order of their paths.

    Raises:
        UserError: There are none.
    """
    return [path_of(source) for source in split_pictures(recipe)[1]]


def _damaged(path: Path, recipe: Recipe) -> list[Tensor]:
    """`(3, H, W)` of each degradation; none where the picture cannot be read."""
    try:
        return [one.damaged.to(torch.float32) for one in specimens(path, recipe.degradations.names, recipe.seed)]
    except PictureError:
        return []
