"""The network of a bundle that can learn one more task: its tasks, their generators, and both as training files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from unblemish.files import write_atomically
from unblemish.lifelong.growing import frozen
from unblemish.networks.base import Network
from unblemish.networks.lira import Lira
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkEntry
from unblemish.restoration.errors import BundleError
from unblemish.training.lifelong_part import GENERATOR, NETWORKS

TASK, GROWN = "task", "grown"
"""Options of such a network."""

_REMEDY = (
    "train a network that can grow with recipes/lira.yaml and its generator with recipes/lira_replay.yaml, and put "
    "both into a bundle with `Bundle.write`"
)


@dataclass(frozen=True, slots=True)
class OldFiles:
    """What a bundle's network knows, as files that trainings start from.

    Attributes:
        network: Described weights of the network, all tasks in one.
        generators: Described weights of each task's generator.
    """

    network: Path
    generators: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Growable:
    """A network of a bundle that can grow.

    Attributes:
        bundle: Whose.
        tasks: The entries that are its tasks, from the base network's on.
        generators: What replays the damage of each task.
    """

    bundle: Bundle
    tasks: tuple[NetworkEntry, ...]
    generators: tuple[NetworkEntry, ...]

    @property
    def architecture(self) -> str:
        """Key in the catalogue of networks."""
        return self.tasks[0].architecture

    @property
    def grown(self) -> int:
        """How often it has grown."""
        return len(self.tasks) - 1

    def options(self, grown: int) -> dict[str, Any]:
        """Options of the same network after so many growths, as it restores its newest task."""
        return {**_without_task(self.tasks[0]), GROWN: grown}

    def network(self) -> Lira:
        """The network as the bundle holds it: float32, on the CPU, frozen.

        Raises:
            BundleError: Its weights are missing or damaged.
        """
        network = self.bundle.build(self.tasks[0])
        assert isinstance(network, Lira)
        return frozen(network)

    def replaying(self) -> list[Network]:
        """The generators as the bundle holds them.

        Raises:
            BundleError: Weights are missing or damaged.
        """
        return [self.bundle.build(entry).requires_grad_(False) for entry in self.generators]

    def write(self, folder: Path) -> OldFiles:
        """Writes the weights of network and generators, unless they are there.

        Args:
            folder: Made if missing.

        Raises:
            BundleError: Weights are missing or damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        network = self._written(self.tasks[0], self.options(self.grown), folder / "network")
        written = [self._written(one, one.options, folder / f"generator-{one.name}") for one in self.generators]
        return OldFiles(network, tuple(written))

    def _written(self, entry: NetworkEntry, options: Mapping[str, object], stem: Path) -> Path:
        file = stem.with_name(f"{stem.name}-{entry.sha256[:12]}.safetensors")
        if not file.exists():
            told = {
                "network": entry.architecture,
                "options": json.dumps(options),
                "purpose": entry.purpose,
                "step": str(entry.steps),
            }
            write_atomically(file, save(load(self.bundle.blob(entry)), told))
        return file


def find_growable(bundle: Bundle) -> Growable:
    """The network of a bundle that can grow: there may be one, whose tasks are entries that differ in `task` alone.

    Raises:
        BundleError: There is none, or what it needs to grow is not all there.
    """
    entries = [entry for entry in bundle.manifest.networks if entry.architecture in NETWORKS]
    if not entries:
        raise BundleError(f"{bundle.path} has no network that can grow ({', '.join(NETWORKS)}): {_REMEDY}")
    tasks = {_task(entry): entry for entry in entries}
    if len({(one.architecture, one.sha256, json.dumps(_without_task(one), sort_keys=True)) for one in entries}) > 1:
        raise BundleError(
            f"{bundle.path}: {_listed(entries)} are several networks that can grow; which one is meant cannot be said: "
            "make a bundle with one of them"
        )
    grown = _without_task(entries[0])[GROWN]
    missing = [str(task) for task in range(grown + 1) if task not in tasks]
    if missing or len(tasks) < len(entries):
        raise BundleError(
            f"{bundle.path}: {_listed(entries)} should be the tasks 0 to {grown} of one network, each once"
            f"{f', and {_words(missing)} is not there' if missing else ''}: fetch or build the bundle again"
        )
    ordered = [tasks[task] for task in range(grown + 1)]
    return Growable(bundle, tuple(ordered), tuple(_generators(bundle, ordered)))


def _generators(bundle: Bundle, tasks: Sequence[NetworkEntry]) -> list[NetworkEntry]:
    known = {entry.name: entry for entry in bundle.manifest.generators if entry.architecture == GENERATOR}
    missing = [task.name for task in tasks if task.name not in known]
    if missing:
        raise BundleError(
            f"{bundle.path} has no generator that replays the damage of {_words(missing)}, without which the network "
            f"would forget it: {_REMEDY}"
        )
    return [known[task.name] for task in tasks]


def _task(entry: NetworkEntry) -> int:
    task = entry.options.get(TASK, -1)
    return _without_task(entry)[GROWN] if task == -1 else int(str(task))


def _without_task(entry: NetworkEntry) -> dict[str, Any]:
    options = {key: value for key, value in entry.options.items() if key != TASK}
    return {**options, GROWN: int(str(entry.options.get(GROWN, 0)))}


def _listed(entries: Sequence[NetworkEntry]) -> str:
    return _words([entry.name for entry in entries])


def _words(names: Sequence[str]) -> str:
    return ", ".join(names)
