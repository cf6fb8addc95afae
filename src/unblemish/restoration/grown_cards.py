"""What a grown bundle states of its network: of the tasks that it knew, of the new one, and of its generator."""

from __future__ import annotations

from pathlib import Path

from unblemish.networks.base import Network
from unblemish.restoration.bundle_parts import NetworkCard, NetworkEntry
from unblemish.restoration.group_training import held_out_photographs, kept_card, trained_card
from unblemish.restoration.growable import TASK, Growable
from unblemish.restoration.growth_check import Retention
from unblemish.restoration.growth_recipe import GrowthPlan
from unblemish.restoration.overview_choice import choose_overview
from unblemish.training.recipe import Recipe
from unblemish.training.validation import PAIRS

COMMAND = "unblemish grow"

BEFORE, AFTER = "psnr_replayed/before", "psnr_replayed/after"
"""Scores of an old task on replayed pictures, by the network before and after it grew last."""

_SINCE = "; since it grew: "
_MARK = "; scores other than psnr_replayed are from before the network grew; psnr_replayed: "


def old_card(
    entry: NetworkEntry, new: NetworkCard, growable: Growable, plan: GrowthPlan, found: Retention, protocol: str
) -> NetworkCard:
    """What is true of an old task after the network grew.

    Args:
        entry: As it was.
        new: Of the new task, trained together with it.
        growable: The network as it was.
        plan: How it grew.
        found: What the task has kept.
        protocol: How that is computed.
    """
    how = f"{COMMAND}, {plan.recipe.steps} steps, old weights at {plan.part.ratio:g} of the rate"
    note = f"{protocol}, what a generator made of them restored by the network before and after it grew last"
    changes = {
        "options": growable.options(growable.grown + 1) | {TASK: growable.tasks.index(entry)},
        "licence": _joined(entry.licence, plan.licence),
        "training_set": f"{entry.training_set}; then, without these, {new.training_set.partition(';')[0]}",
        "recipe": f"{entry.recipe}; grown by {new.name}: {how}",
        "protocol": f"{entry.protocol.partition(_MARK)[0]}{_MARK}{note}".removeprefix("; "),
        "scores": entry.scores | {BEFORE: round(found.before, 4), AFTER: round(found.after, 4)},
        "hardware": new.hardware,
        "revision": new.revision,
    }
    return NetworkCard.model_validate(entry.model_dump(include={*NetworkCard.model_fields}) | changes)


def new_card(
    recipe: Recipe, folder: Path, growable: Growable, plan: GrowthPlan, pictures: int, network: Network
) -> NetworkCard:
    """Of the new task; what its training said of itself is kept in the folder.

    Args:
        recipe: Of the joint training.
        folder: Where it was trained.
        growable: The network as it was.
        plan: How it grew.
        pictures: How many the plan's folder holds.
        network: Restores the new task.
    """
    names = plan.damage.names
    damages = recipe.degradations.names or (PAIRS,)
    scores = {f"psnr/{name}": damage for name, damage in zip(names, damages, strict=True)}

    def finish() -> NetworkCard:
        card = trained_card(
            recipe,
            folder,
            name=names[0],
            purpose=f"treats {_words(plan)}",
            treats=names,
            scores=scores | {"psnr_gain/validation": "gain"},
            command=COMMAND,
        )
        if not plan.damage.of_whole_pictures:
            return card
        overview = choose_overview(network, held_out_photographs(recipe), names, plan.damage.pictures()[1], recipe.seed)
        return card.model_copy(update={"overview": overview})

    card = kept_card(folder, finish)
    first = growable.tasks[0]
    origin = f"the network '{first.name}' (licence {first.licence}; trained on {first.training_set})"
    return card.model_copy(
        update={
            "options": {**card.options, TASK: growable.grown + 1},
            "licence": _joined(first.licence, plan.licence),
            "training_set": f"{plan.damage.described(pictures)}; started from {origin}",
        }
    )


def generator_card(recipe: Recipe, folder: Path, plan: GrowthPlan, pictures: int) -> NetworkCard:
    """Of the generator that replays the new task; what its training said of itself is kept in the folder.

    Args:
        recipe: Of its training.
        folder: Where it was trained.
        plan: How the network grew.
        pictures: How many the plan's folder holds.
    """

    def finish() -> NetworkCard:
        return trained_card(
            recipe,
            folder,
            name=plan.damage.names[0],
            purpose=f"makes {_words(plan)}",
            treats=plan.damage.names,
            scores={f"psnr/{kind}": kind for kind in ("damage", "real_damage", "restored", "real_restored")},
            command=COMMAND,
        )

    card = kept_card(folder, finish)
    return card.model_copy(update={"licence": plan.licence, "training_set": plan.damage.described(pictures)})


def _words(plan: GrowthPlan) -> str:
    return ", ".join(plan.damage.names).replace("_", " ")


def _joined(old: str, new: str) -> str:
    """Both licences, for the weights are of both makers."""
    return old if old == new or old.endswith(f"{_SINCE}{new}") else f"{old}{_SINCE}{new}"
