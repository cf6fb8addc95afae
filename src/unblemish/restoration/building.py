"""From a folder of clean photographs to a bundle of one's own: similarity, search, training, calibration.

Every step leaves its result in a folder of runs, with a word that follows from all its inputs. A build that was
interrupted, or is asked for again, does only what is missing there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save
from torch import Tensor

from unblemish.degradations.catalogue import create as create_degradation
from unblemish.examination.knowledge import Knowledge
from unblemish.grouping.candidate import fingerprint
from unblemish.grouping.problem import Group as Members
from unblemish.grouping.problem import check_names
from unblemish.grouping.trained_oracle import TrainedOracle
from unblemish.networks.catalogue import create as create_network
from unblemish.networks.loading import load_weights
from unblemish.networks.srresnet import SRResNet
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.building_recipe import Plan
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, NetworkCard
from unblemish.restoration.bundle_storage import require_replaceable
from unblemish.restoration.errors import BundleError
from unblemish.restoration.examiner_building import Treated, choose_photographs, knowledge_card, teach
from unblemish.restoration.group_finding import find_groups, similarity, titles
from unblemish.restoration.group_training import build_network, carry_out, group_name, shipped_weights
from unblemish.restoration.listening import SILENT, Listener
from unblemish.restoration.methods import build_task
from unblemish.training.fit import FINAL
from unblemish.training.recipe import Recipe


class Descriptor(NamedTuple):
    """The network whose features describe damage, with what a bundle states of it."""

    network: SRResNet
    card: NetworkCard
    weights: dict[str, Tensor] | bytes


def descriptor_of(bundle: Bundle) -> Descriptor:
    """The descriptor of another bundle.

    Raises:
        BundleError: It has none, or it is damaged.
    """
    parts = bundle.manifest.examination
    network = bundle.descriptor() if parts else None
    if parts is None or not isinstance(network, SRResNet):
        raise BundleError(
            f"{bundle.path} has no descriptor: name a bundle that examines pictures with --bundle, or the weights of "
            "an srresnet_x4_compact that was trained on clean pictures with --descriptor"
        )
    return Descriptor(network, parts.descriptor, bundle.blob(parts.descriptor))


def descriptor_from(weights: Path) -> Descriptor:
    """A descriptor by weights of an srresnet_x4_compact, of which no licence is known.

    Raises:
        NetworkError: They cannot be read, or do not fit.
    """
    network = create_network("srresnet_x4_compact")
    assert isinstance(network, SRResNet)
    load_weights(network, weights)
    card = NetworkCard(
        name="descriptor",
        purpose="describes damage by its deep features",
        architecture="srresnet_x4_compact",
        licence="unknown: its weights do not state it",
        training_set="unknown: its weights do not state it",
        recipe="given as weights",
    )
    return Descriptor(network.eval(), card, network.state_dict())


def build(plan: Plan, descriptor: Descriptor, output: Path, runs: Path, listener: Listener = SILENT) -> Bundle:
    """Builds a bundle, or what is missing of it.

    Args:
        plan: What to build.
        descriptor: Goes into the bundle.
        output: The packed bundle; one that is there is replaced.
        runs: Where the results of the steps are kept; made if missing.
        listener: Told of progress.

    Returns:
        The packed bundle.

    Raises:
        SearchStoppedError: The user ended a training of the search, which is saved.
        BuildStoppedError: The user ended another training, which is saved.
        UserError: The plan, the photographs or the output cannot be used.
    """
    for name in check_names(plan.recipe.degradations.names):
        create_degradation(name)
    require_replaceable(output)
    paths = find_pictures(plan.recipe.data.folder)
    shown = choose_photographs(paths)
    runs.mkdir(parents=True, exist_ok=True)
    training_set = _photographs(plan, len(paths)) + (f"; started from {plan.origin}" if plan.origin else "")
    networks: list[tuple[NetworkCard, dict[str, Tensor]]] = []
    for recipe in _recipes(plan, descriptor, paths, runs, listener):
        folder = runs / "networks" / f"{group_name(recipe.degradations.names)}-{fingerprint(recipe)}"
        listener.say(f"network of {titles([recipe.degradations.names])}: {recipe.steps} steps, in {folder}")
        card = carry_out(recipe, folder, plan.accelerator, listener.callbacks)
        card = card.model_copy(update={"licence": plan.licence, "training_set": training_set})
        networks.append((card, shipped_weights(recipe, folder)))
    knowledge = _knowledge(plan, descriptor, networks, shown, runs / "calibration", listener)
    groups = [Group(name=card.name, degradations=card.treats, network=card.name) for card, _ in networks]
    training_set = _photographs(plan, len(shown))
    seen = knowledge_card(knowledge, licence=plan.licence, training_set=training_set, recipe="unblemish group build")
    examination = ((descriptor.card, descriptor.weights), (seen, knowledge.tensors()))
    bundle = Bundle.write(runs / "bundle", networks, groups=groups, examination=examination)
    return bundle.pack(output)


def _recipes(plan: Plan, descriptor: Descriptor, paths: Sequence[Path], runs: Path, listener: Listener) -> list[Recipe]:
    """The recipe of each group's network, which goes on from the candidate that the search trained."""
    names = plan.recipe.degradations.names
    if len(names) == 1:
        return [plan.recipe]
    matrix = similarity(
        descriptor.network,
        names,
        paths,
        runs / "similarity.json",
        patches=plan.patches,
        reduction=plan.reduction,
        say=listener.say,
    )

    def tell(groups: Sequence[Members]) -> None:
        listener.say(f"search: training {titles(groups)} for {plan.budget} steps")

    oracle = TrainedOracle(
        plan.recipe, plan.budget, runs / "candidates", accelerator=plan.accelerator, build=build_task, on_training=tell
    )
    groups = find_groups(matrix, oracle, plan.threshold, runs / "grouping.json", listener.say)
    listener.say(f"groups: {titles(groups)}")
    recipes = []
    for group in groups:
        network = plan.recipe.network.model_copy(update={"start": oracle.folder(group) / FINAL})
        degradations = plan.recipe.degradations.model_copy(update={"names": group})
        recipes.append(plan.recipe.model_copy(update={"network": network, "degradations": degradations}))
    return recipes


def _knowledge(
    plan: Plan,
    descriptor: Descriptor,
    parts: Sequence[tuple[NetworkCard, Mapping[str, Tensor]]],
    paths: Sequence[Path],
    folder: Path,
    listener: Listener,
) -> Knowledge:
    """What calibration teaches an examiner about the groups of these networks."""
    groups = {
        card.name: Treated(
            card.treats,
            build_network(plan.recipe, weights),
            hashlib.sha256(save(dict(weights))).hexdigest(),
            card.overview,
        )
        for card, weights in parts
    }
    return teach(descriptor.network, groups, paths, folder, listener)


def _photographs(plan: Plan, count: int) -> str:
    """Says what the photographs are, without where they lie."""
    return f"{count} photographs of a folder '{plan.recipe.data.folder.resolve().name}', whose licence is not stated"
