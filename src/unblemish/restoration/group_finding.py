"""Which degradations of a user's own bundle share a network: similarity on the photographs, then the search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from unblemish.degradations.catalogue import create
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.signatures import SignatureProtocol, cut_patches, measure_signature
from unblemish.examination.similarity import SimilarityMatrix
from unblemish.grouping.problem import Group, Partition, Problem, Trial
from unblemish.grouping.ranking import Ranking
from unblemish.grouping.search import search
from unblemish.grouping.trained_oracle import TrainedOracle
from unblemish.networks.srresnet import SRResNet
from unblemish.restoration.placement import choose_device, choose_precision

Say = Callable[[str], None]

PATCHES, PATCHES_EACH = 800, 20
"""Clean patches where the user names no number: of all photographs at most, and of each."""


def similarity(
    descriptor: SRResNet,
    names: Sequence[str],
    paths: Sequence[Path],
    file: Path,
    *,
    patches: int | None,
    reduction: int,
    say: Say,
) -> SimilarityMatrix:
    """Measures how close degradations are, or reads what `file` holds of the same inputs.

    Args:
        descriptor: Trained at scale 4 on clean pictures.
        names: Of the degradations.
        paths: Clean photographs.
        file: JSON as `unblemish group similarity` writes it; replaced where it is of other inputs.
        patches: Clean patches; None takes a number that fits the photographs.
        reduction: Factor by which photographs are shrunk first.
        say: Told what is measured.

    Raises:
        ExaminationError: No photograph is large enough.
    """
    began = perf_counter()
    features = DeepRepresentation(descriptor.to("cpu"), "hr", choose_precision(choose_device("cpu")))
    protocol = SignatureProtocol(patches=patches or min(PATCHES, PATCHES_EACH * len(paths)), reduction=reduction)
    inputs = digest([features.fingerprint, list(names), asdict(protocol), listing(paths)])
    if (stored := read_result(file, inputs)) is not None:
        say(f"similarity: read from {file}")
        return SimilarityMatrix.from_dict(stored["matrix"])
    say(f"similarity of {len(names)} degradations on {protocol.patches} patches")
    clean = cut_patches(paths, protocol)
    signatures = [measure_signature(features, create(name), clean, protocol) for name in names]
    matrix = SimilarityMatrix.of(signatures)
    content = {
        "inputs": inputs,
        "provenance": provenance(["unblemish", "group", "build"], [protocol.seed], perf_counter() - began),
        "protocol": asdict(protocol),
        "features": features.description,
        "signatures": [signature.to_dict() for signature in signatures],
        "matrix": matrix.to_dict(),
    }
    write_result(file, content)
    return matrix


def find_groups(matrix: SimilarityMatrix, oracle: TrainedOracle, threshold: float, file: Path, say: Say) -> Partition:
    """Searches, with the trainings that the oracle's folder does not hold yet, and writes what was found.

    Args:
        matrix: Of the oracle's degradations, in their order.
        oracle: Trains candidates.
        threshold: Largest loss in dB against a network of its own.
        file: JSON for the record; nothing reads it again.
        say: Told of each judgement.

    Raises:
        SearchStoppedError: The user ended a training, which is saved.
        UserError: A training failed.
    """

    def tell(trial: Trial) -> None:
        verdict = "passes" if trial.passed else "fails"
        say(f"search, {trial.stage}: {titles([trial.group])} loses {trial.drop:.2f} dB at most, {verdict}")

    found = search(Problem(oracle, threshold, tell), Ranking(oracle.names, matrix.distances))
    scores = {name: psnr for group in found.first for name, psnr in oracle.scores([group])[0].items()}
    alone = {name: oracle.scores([(name,)])[0][name] for name in oracle.names}
    table = {"grouped": scores, "single-task": alone, "protocol": oracle.protocol()}
    write_result(file, {"search": found.to_dict(), "psnr": table})
    return found.first


def titles(groups: Sequence[Group]) -> str:
    """Groups for a line of text."""
    return "; ".join(" + ".join(group) for group in groups)


def listing(paths: Sequence[Path]) -> list[list[str | int]]:
    """What photographs are told apart by: names and sizes."""
    return [[path.name, path.stat().st_size] for path in paths]


def digest(content: object) -> str:
    """A word that follows from plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def read_result(file: Path, inputs: str) -> dict[str, Any] | None:
    """A result of the same inputs; None where there is none, or it is damaged."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) and stored.get("inputs") == inputs else None
