"""A bundle learns new damage: its network grows by one task, without a picture of the old ones (LIRA, Sec. 3.2, 3.3).

Every step leaves its result in a folder of runs, under a word that follows from all its inputs. A growth that was
interrupted, or is asked for again, does only what is missing there. The bundle that grows is never changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from safetensors.torch import load_file, save

from unblemish.degradations import catalogue
from unblemish.evaluation.provenance import write_result
from unblemish.examination.specimens import CLEAN, Given
from unblemish.grouping.candidate import fingerprint
from unblemish.grouping.problem import check_names
from unblemish.networks.lira import Lira
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, NetworkCard, NetworkEntry
from unblemish.restoration.bundle_storage import require_replaceable
from unblemish.restoration.errors import BundleError, RestorationError
from unblemish.restoration.examiner_building import Treated, choose_photographs, knowledge_card, teach
from unblemish.restoration.group_finding import digest, read_result
from unblemish.restoration.group_training import build_network, shipped_weights, train_through
from unblemish.restoration.growable import Growable, OldFiles, find_growable
from unblemish.restoration.grown_cards import COMMAND, generator_card, new_card, old_card
from unblemish.restoration.growth_check import Retention, held_out_crops, measure_retention, require_retention
from unblemish.restoration.growth_recipe import GrowthPlan, NewDamage, joint_recipe, replay_recipe, warm_up_recipe
from unblemish.restoration.listening import SILENT, Listener
from unblemish.restoration.replaying import replay_on
from unblemish.training.fit import BEST, FINAL
from unblemish.training.lifelong_part import GrowPart, ReplayPart
from unblemish.training.recipe import Recipe

if TYPE_CHECKING:
    from unblemish.restoration.bundle_writing import Examination

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_RESERVED = (CLEAN, "unknown")


class _Learnt(NamedTuple):
    """The grown network.

    Attributes:
        network: float32, of the weights as they ship.
        weights: The content of its file in the bundle.
        cards: Of its old tasks, then of the new one.
        file: Described weights.
    """

    network: Lira
    weights: bytes
    cards: list[NetworkCard]
    file: Path


class _Data(NamedTuple):
    """The new pictures.

    Attributes:
        clean: All of them.
        shown: Those that the examiner is calibrated on.
        given: Damaged ones of pairs, by damage and clean picture.
    """

    clean: list[Path]
    shown: list[Path]
    given: Given


def grow(plan: GrowthPlan, bundle: Bundle, output: Path, runs: Path, listener: Listener = SILENT) -> Bundle:
    """Grows a bundle, or does what is missing of it.

    Args:
        plan: What to learn, and how.
        bundle: Is to grow; not changed. Its groups' other networks are taken over byte for byte.
        output: The packed bundle; one that is there is replaced.
        runs: Where the results of the steps are kept; made if missing.
        listener: Told of progress.

    Returns:
        The packed bundle.

    Raises:
        BuildStoppedError: The user ended a training, which is saved.
        GrowthRefusedError: The old tasks lose more than the plan tolerates; nothing is written to `output`.
        UserError: The bundle cannot grow, or the plan, the pictures or the output cannot be used.
    """
    growable = find_growable(bundle)
    require_learnable(plan.damage, growable, output)
    clean, given = plan.damage.pictures()
    data = _Data(clean, choose_photographs(clean), given)
    runs.mkdir(parents=True, exist_ok=True)
    _require_its_own(plan, growable.write(runs / "old"))
    # Every recipe is read before the first training, and not hours later.
    warm_up, options = warm_up_recipe(plan), growable.generators[-1].options
    replay_recipe(plan, options, plan.part.old)
    start = _train(warm_up, "warm-up", plan, runs, listener) / FINAL
    learnt = _joint(plan, growable, start, runs, listener, len(clean))
    replaying = replay_recipe(plan, options, learnt.file)
    folder = _train(replaying, "training of the generator", plan, runs, listener)
    generator = generator_card(replaying, folder, plan, len(clean))
    examination = _examination(plan, growable, learnt, data, runs, listener)
    new = learnt.cards[-1]
    cards = {card.name: card for card in learnt.cards[:-1]}
    written = Bundle.write(
        runs / "bundle",
        [
            (cards[entry.name], learnt.weights) if entry.name in cards else (entry, bundle.blob(entry))
            for entry in bundle.manifest.networks
        ]
        + [(new, learnt.weights)],
        default=bundle.manifest.default,
        groups=[*bundle.groups, Group(name=new.name, degradations=new.treats, network=new.name)],
        examination=examination,
        generators=[(entry, bundle.blob(entry)) for entry in bundle.manifest.generators]
        + [(generator, shipped_weights(replaying, folder))],
    )
    return written.pack(output)


def require_learnable(damage: NewDamage, growable: Growable, output: Path) -> None:
    """Complains before any work of what cannot end well.

    Args:
        damage: What is to be learnt.
        growable: What is to learn it.
        output: The packed bundle to write.

    Raises:
        UserError: The bundle knows the damage, cannot be taught it, or cannot be written there; or a name or the
            pictures will not do.
    """
    bundle = growable.bundle
    if output.exists() and bundle.path.exists() and output.samefile(bundle.path):
        raise BundleError(f"{output} is the bundle that grows, which is never changed: give another name with --out")
    require_replaceable(output)
    if bundle.manifest.examination is None:
        raise BundleError(f"{bundle.path} examines no pictures: grow a bundle that does, see `unblemish group build`")
    for name in check_names(damage.names):
        if damage.pairs is None:
            catalogue.create(name)
        elif name in catalogue.names():  # later calibrations would make it, instead of replaying the pairs' damage
            raise RestorationError(
                f"'{name}' is damage that unblemish makes: give that of pairs another name, such as 'real_{name}'"
            )
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise RestorationError(f"damage cannot be called '{name}': give a word of a-z, 0-9, _ and -")
    if damage.pairs and damage.title != damage.names[0]:
        raise RestorationError(f"pairs show one kind of damage, not {damage.title}: give one name")
    for group in bundle.groups:
        if known := {*group.degradations} & {*damage.names}:
            raise BundleError(
                f"{bundle.path} knows {' and '.join(sorted(known))} already, by the group '{group.name}': "
                "`unblemish restore` treats it"
            )
    manifest = bundle.manifest
    if damage.names[0] in {one.name for one in (*manifest.groups, *manifest.networks, *manifest.generators)}:
        raise BundleError(
            f"{bundle.path} has a part called '{damage.names[0]}', as the new group would be: give another name first"
        )
    _only_replayed(growable)
    damage.pictures()


def _require_its_own(plan: GrowthPlan, old: OldFiles) -> None:
    """Complains of a plan for another bundle or other pictures; files are named after their content."""
    recipe, part = plan.recipe, plan.part
    if part.old_folder or recipe.validation.folder or recipe.data.folder != plan.damage.folder:
        raise RestorationError("a bundle grows on the new pictures alone: make the plan's recipe with base_recipe")
    planned, there = (plan.part.old, *plan.part.replay), (old.network, *old.generators)
    if [one.name for one in planned] != [one.name for one in there]:
        raise RestorationError("the plan was made for another bundle: make its recipe with base_recipe of this one")


def _train(recipe: Recipe, stage: str, plan: GrowthPlan, runs: Path, listener: Listener) -> Path:
    """The folder of a finished training."""
    folder = runs / f"{stage.replace(' ', '-')}-{_fingerprint(recipe, plan)}"
    title = f"{stage} of {plan.damage.title}"
    listener.say(f"{title}: {recipe.steps} steps, in {folder}")
    train_through(recipe, folder, plan.accelerator, listener.callbacks, title=f"the {title}", command=COMMAND)
    return folder


def _fingerprint(recipe: Recipe, plan: GrowthPlan) -> str:
    """As of a candidate; weights count by their tensors, wherever they lie and whatever their headers say.

    So do the names of the damage, which a recipe of pairs does not know.
    """
    part, start = recipe.lifelong, recipe.network.start
    if isinstance(part, GrowPart):
        files, update = [part.old, *part.replay], {"old": Path(), "replay": ()}
    else:
        assert isinstance(part, ReplayPart)
        files, update = [part.restorer], {"restorer": Path()}
    bare = {
        "network": recipe.network.model_copy(update={"start": None}),
        "lifelong": part.model_copy(update=update),
    }
    tensors = [hashlib.sha256(save(load_file(path))).hexdigest() for path in (*files, *([start] if start else []))]
    return digest([fingerprint(recipe.model_copy(update=bare)), tensors, plan.damage.names])[:16]


def _joint(plan: GrowthPlan, growable: Growable, start: Path, runs: Path, listener: Listener, pictures: int) -> _Learnt:
    """Trains all parts, and refuses a network that forgets."""
    recipe = joint_recipe(plan, start)
    folder = _train(recipe, "joint training", plan, runs, listener)
    weights = shipped_weights(recipe, folder)
    grown = build_network(recipe, weights)
    assert isinstance(grown, Lira)
    found, protocol = _retention(recipe, folder, growable, grown)
    for one in found:
        listener.say(f"{one.task} on replayed pictures: {one.before:.2f} dB before, {one.after:.2f} dB after")
    require_retention(found, plan.tolerance, plan.part.ratio)
    card = new_card(recipe, folder, growable, plan, pictures, grown.on_task(growable.grown + 1))
    cards = [
        old_card(entry, card, growable, plan, one, protocol) for entry, one in zip(growable.tasks, found, strict=True)
    ]
    return _Learnt(grown, save(weights), [*cards, card], folder / BEST)


def _retention(recipe: Recipe, folder: Path, growable: Growable, grown: Lira) -> tuple[list[Retention], str]:
    """What the old tasks have kept, with the protocol; kept in the folder of the joint training."""
    names = [entry.name for entry in growable.tasks]
    file, inputs = folder / "retention.json", digest(names)
    stored = read_result(file, inputs)
    if stored is None:
        crops = held_out_crops(recipe)
        found = measure_retention(growable.network(), grown, growable.replaying(), names, crops)
        stored = {"inputs": inputs, "protocol": str(crops.protocol), "tasks": [one._asdict() for one in found]}
        write_result(file, stored)
    return [Retention(**one) for one in stored["tasks"]], stored["protocol"]


def _examination(
    plan: GrowthPlan, growable: Growable, learnt: _Learnt, data: _Data, runs: Path, listener: Listener
) -> Examination:
    """The bundle's descriptor, and what calibration on the new photographs teaches about all groups, old and new."""
    bundle, new = growable.bundle, learnt.cards[-1]
    parts = bundle.manifest.examination
    assert parts is not None
    tasks = {entry.name: task for task, entry in enumerate(growable.tasks)} | {new.name: growable.grown + 1}
    digest_of_grown = hashlib.sha256(learnt.weights).hexdigest()
    groups = {}
    for group in (*bundle.groups, Group(name=new.name, degradations=new.treats, network=new.name)):
        task = tasks.get(group.network)
        if task is None:
            network, word = bundle.network(group.network), bundle.entry(group.network).sha256
        else:
            network, word = learnt.network.on_task(task), f"{digest_of_grown} {task}"
        card = new if group.network == new.name else bundle.entry(group.network)
        groups[group.name] = Treated(group.degradations, network, word, card.overview)
    folder = runs / "calibration"
    given = {**_replayed(growable, data.shown, folder / "replayed", listener), **data.given}
    rest = parts.knowledge.settings.get("rest")
    known = [*rest] if isinstance(rest, dict) else []
    everywhere = [kind for kind in given if kind in known or (plan.damage.everywhere and kind in data.given)]
    knowledge = teach(bundle.descriptor(), groups, data.shown, folder, listener, given, everywhere)
    card = knowledge_card(
        knowledge, licence=plan.licence, training_set=plan.damage.described(len(data.shown)), recipe=COMMAND
    )
    return (parts.descriptor, bundle.blob(parts.descriptor)), (card, knowledge.tensors())


def _only_replayed(growable: Growable) -> dict[str, NetworkEntry]:
    """Damage of old groups that is not in the catalogue, so that only generators can make it, with these.

    Raises:
        BundleError: There is no generator for it.
    """
    generators = {entry.name: entry for entry in growable.generators}
    found: dict[str, NetworkEntry] = {}
    for group in growable.bundle.groups:
        for name in sorted({*group.degradations} - {*catalogue.names()}):
            if group.network not in generators:
                raise BundleError(
                    f"{growable.bundle.path}: the group '{group.name}' treats '{name}', which is not among the known "
                    "degradations and has no generator, so that no examiner can be taught to know it: leave it out"
                )
            found[name] = generators[group.network]
    return found


def _replayed(growable: Growable, paths: Sequence[Path], folder: Path, listener: Listener) -> Given:
    """What `_only_replayed` names, on the new photographs."""
    found: dict[str, dict[Path, Path]] = {}
    for name, entry in _only_replayed(growable).items():
        listener.say(f"replaying {name} on {len(paths)} photographs")
        found[name] = replay_on(
            growable.bundle.build(entry),
            entry.sha256,
            paths,
            folder,
            lambda done, total, name=name: listener.progress(f"replaying {name}", done, total),
        )
    return found
