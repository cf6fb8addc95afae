"""What a study's runs are scored on, and their scores, kept in each run's folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from unblemish.evaluation.cases import CaseSet, DegradedFolder
from unblemish.evaluation.metrics import Metric
from unblemish.evaluation.paired_cases import PairedFolder
from unblemish.evaluation.preparation import Preparation
from unblemish.evaluation.protocol import Protocol
from unblemish.evaluation.provenance import write_result
from unblemish.evaluation.score_table import INPUT, ScoreTable
from unblemish.evaluation.scoring import Method, applied, score
from unblemish.evaluation.shrunk_cases import ShrunkFolder
from unblemish.networks.catalogue import create
from unblemish.networks.lira import Lira
from unblemish.networks.loading import load_weights
from unblemish.pictures.pairs import PairFolders, known_folders
from unblemish.studies.records import file_digest, folder_digest, read_record
from unblemish.studies.study import StudyRun
from unblemish.training.errors import TrainingError
from unblemish.training.fit import FINAL
from unblemish.training.recipe import DegradationPart
from unblemish.training.synthesis import named_degradations

SCORES = "scores.json"
"""In a run's folder: entries by key, one for each set and way of scoring."""

AVERAGE = "average"
"""Damage that stands for the mean over all damages of a set."""

_NETWORK = "network"


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """Pictures that every run is scored on.

    Attributes:
        name: What tables call them.
        files: Digest of the pictures' names and sizes, and how many of them count.
        cases: One a damage.
        protocols: How they are compared.
        metrics: What is computed.
    """

    name: str
    files: str
    cases: tuple[CaseSet, ...]
    protocols: tuple[Protocol, ...]
    metrics: tuple[Metric, ...]

    @property
    def headline(self) -> str:
        """The damage that tables show: the only one, or the average."""
        return self.cases[0].name if len(self.cases) == 1 else AVERAGE

    def key(self, damage: str, protocol: str, metric: str) -> str:
        """What one mean score is kept under, "SET/DAMAGE/PROTOCOL/METRIC"."""
        return f"{self.name}/{damage}/{protocol}/{metric}"

    def keys(self) -> list[str]:
        """Of all mean scores."""
        damages = dict.fromkeys([*(cases.name for cases in self.cases), self.headline])
        return [
            self.key(damage, protocol.name, metric.name)
            for damage in damages
            for protocol in self.protocols
            for metric in self.metrics
        ]

    def told_protocols(self) -> list[str]:
        """A line for each protocol and the pictures under it."""
        return [str(protocol) for protocol in applied(self.protocols, self.cases)]

    def told_damage(self) -> list[str]:
        """A line for each damage."""
        return [f"{cases.title}: {cases.damage}" for cases in self.cases]


def case_sets(
    folder: Path,
    damage: DegradationPart,
    seed: int = 0,
    gray: bool = False,
    pairs: PairFolders | None = None,
    limit: int | None = None,
) -> tuple[CaseSet, ...]:
    """The pairs of a folder; without pairs its clean pictures with each damage of a recipe, one set a damage.

    Args:
        folder: Pictures, or pairs in folders side by side.
        damage: Of the recipe.
        seed: Of the damage.
        gray: Turn pictures to gray first.
        pairs: What the two folders of pairs are called, where the recipe trains on pairs; None for well-known names.
        limit: Only the first so many pictures in the order of their names.

    Raises:
        UserError: The folder holds no picture, pairs where pictures must be shrunk, or gray ones must.
    """
    pairs = pairs or known_folders(folder)
    if pairs and damage.shrink > 1:
        raise TrainingError(
            f"{folder}: holds pairs of one size, but the network enlarges {damage.shrink} times; score it on the "
            "folder of the clean pictures alone"
        )
    if gray and damage.shrink > 1:
        raise TrainingError("gray pictures are not shrunk for scoring; leave out data.gray or degradations.shrink")
    if pairs:
        return (PairedFolder(folder, pairs, limit=limit, preparation=Preparation(gray=gray)),)
    parsed = [(one, values) for _, one, values in named_degradations(damage.names, damage.kernels)]
    if damage.shrink > 1:
        return tuple(
            ShrunkFolder(folder, damage.shrink, one, values=values, seed=seed, limit=limit)
            for one, values in parsed or [(None, {})]
        )
    prepared = Preparation(gray=gray, rounding=damage.rounding)
    return tuple(
        DegradedFolder(folder, one, values=values, sampled=not values, seed=seed, limit=limit, preparation=prepared)
        for one, values in parsed
    )


def scored_set(
    word: str,
    damage: DegradationPart,
    protocols: Sequence[Protocol],
    metrics: Sequence[Metric],
    gray: bool = False,
    pairs: PairFolders | None = None,
    limit: int | None = None,
) -> ScoredSet:
    """The set that a word NAME=FOLDER stands for; gray where networks are for gray pictures; see `case_sets`.

    Raises:
        UserError: The word is of another form, or the folder is not what it must be.
    """
    name, equals, folder = word.partition("=")
    if not (equals and name and folder) or "/" in name:
        raise TrainingError(f"'{word}' is not of the form NAME=FOLDER, such as Set5=photos/set5; mend it")
    cases = case_sets(Path(folder), damage, gray=gray, pairs=pairs, limit=limit)
    files = folder_digest(Path(folder)) + (f", the first {limit}" if limit else "")
    return ScoredSet(name, files, cases, tuple(protocols), tuple(metrics))


def known_scores(run: StudyRun, pictures: ScoredSet) -> dict[str, Any] | None:
    """The entry that `score_run` wrote for these weights on this set; None where there is none.

    Raises:
        TrainingError: The file of scores is damaged.
    """
    entries = read_record(run.folder / SCORES)
    return entries.get(_fingerprint(run, pictures)) if entries else None


def as_method(run: StudyRun, device: torch.device, name: str) -> Method:
    """The averaged weights of a finished run's last step as a method, in float32.

    Raises:
        NetworkError: They cannot be read.
    """
    part = run.recipe.network
    network = create(part.name, part.options)
    load_weights(network, run.folder / FINAL)
    network.to(device).eval()
    gray = run.recipe.data.gray

    def restoring(path: nn.Module) -> Callable[[Tensor], Tensor]:
        def restore(damaged: Tensor) -> Tensor:
            shown = damaged[:, :1] if gray else damaged  # channels of gray pictures are equal
            return path(shown.to(device)).float().cpu().clamp(0.0, 1.0).expand(-1, damaged.shape[1], -1, -1)

        return restore

    if isinstance(network, Lira) and network.grown:
        chosen = {damage: restoring(network.on_task(task)) for damage, task in run.tasks.items()}
        return Method(name, restoring(network), by_kind=chosen)
    return Method(name, restoring(network))


def score_run(run: StudyRun, pictures: ScoredSet, accelerator: str = "auto") -> dict[str, Any]:
    """Scores the averaged weights of a run's last step, in float32 and whole pictures, unless that is done.

    Returns:
        "network" and "input": mean scores by `ScoredSet.key`; "pictures": the network's by picture, averaged over
        the damages, by "PROTOCOL/METRIC"; lines of "protocols", "damage" and "failures"; "device" and "seconds".

    Raises:
        TrainingError: The network fails on a picture, or the file of scores is damaged.
        UserError: The weights or pictures cannot be used.
        OSError: The scores cannot be written.
    """
    if known := known_scores(run, pictures):
        return known
    device = Fabric(accelerator=accelerator, devices=1).device
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        table = score([as_method(run, device, _NETWORK)], pictures.cases, pictures.protocols, pictures.metrics)
    if failed := [one for one in table.failures if one.method == _NETWORK]:
        first = failed[0]
        raise TrainingError(f"{run.folder}: cannot be scored on {pictures.name}, {first.picture}: {first.reason}")
    entry = _entry(table, pictures) | {"device": str(device)}
    others = read_record(run.folder / SCORES) or {}
    write_result(run.folder / SCORES, others | {_fingerprint(run, pictures): entry})
    return entry


def _fingerprint(run: StudyRun, pictures: ScoredSet) -> str:
    """A name for these weights on this set: other weights, pictures, damage, protocols or metrics have another."""
    content = [
        pictures.name,
        pictures.files,
        [[cases.name, cases.damage] for cases in pictures.cases],
        [str(protocol) for protocol in pictures.protocols],
        [metric.name for metric in pictures.metrics],
        file_digest(run.folder / FINAL),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _entry(table: ScoreTable, pictures: ScoredSet) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "set": pictures.name,
        "protocols": pictures.told_protocols(),
        "damage": pictures.told_damage(),
        "failures": [f"{one.case_set}, {one.picture}: {one.reason}" for one in table.failures],
        "seconds": table.seconds,
    }
    for method in (INPUT, _NETWORK):
        means: dict[str, float | None] = {}
        for protocol in pictures.protocols:
            for metric in pictures.metrics:
                ways = (method, protocol.name, metric.name)
                for cases in pictures.cases:
                    means[pictures.key(cases.name, *ways[1:])] = table.mean(cases.name, *ways)
                if pictures.headline == AVERAGE:
                    means[pictures.key(AVERAGE, *ways[1:])] = table.average(*ways)
        entry[method] = {key: round(value, 6) for key, value in means.items() if value is not None}
    entry["pictures"] = {
        f"{protocol.name}/{metric.name}": _by_picture(table, protocol.name, metric.name)
        for protocol in pictures.protocols
        for metric in pictures.metrics
    }
    return entry


def _by_picture(table: ScoreTable, protocol: str, metric: str) -> dict[str, float]:
    """The network's score of each picture, averaged over the damages it was scored with."""
    found: dict[str, list[float]] = {}
    for cases in table.sets:
        for picture, value in table.values(cases.name, _NETWORK, protocol, metric).items():
            found.setdefault(picture, []).append(value)
    return {picture: round(fmean(values), 6) for picture, values in found.items()}
