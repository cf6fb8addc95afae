"""Observations: the measurements of many specimens, kept on disk so that an interrupted calibration goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from unblemish.examination.classifier import MEMBERS
from unblemish.examination.errors import ExaminationError
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.patches import SIDE, PatchGrid
from unblemish.examination.specimens import Specimen, specimens
from unblemish.examination.statistics import measure
from unblemish.files import write_atomically
from unblemish.pictures.errors import PictureError

VERSION = 2
"""Goes up when the meaning of a measurement changes, so that older ones are not taken for it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The measurement of one specimen.

    Attributes:
        path: Its photograph.
        kind: Its damage.
        moments: `(P, M)`, see `Measurement`.
        tones: `(T,)`.
        signature: `(2,)`, alpha and sigma.
        errors: `(P,)`, mean square difference of each patch from the clean one.
    """

    path: Path
    kind: str
    moments: Tensor
    tones: Tensor
    signature: Tensor
    errors: Tensor

    @property
    def fold(self) -> int:
        """Of cross-validation; the same for all specimens of a photograph."""
        return fold_of(self.path)


def fold_of(path: Path) -> int:
    """The fold of a photograph: by its name, so that it stays the same in other company."""
    return hashlib.sha256(path.name.encode()).digest()[0] % MEMBERS


def observe(
    features: DeepRepresentation,
    paths: Sequence[Path],
    kinds: Sequence[str],
    folder: Path,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Observation]:
    """Measures one specimen of each kind from each photograph, or reads what was measured before.

    Args:
        features: The descriptor, with tap "trunk".
        paths: Clean photographs; unreadable ones are left out, repeated ones count once.
        kinds: `CLEAN` and degradations of the catalogue.
        folder: Where measurements are kept; made if missing.
        seed: Of the specimens.
        on_progress: Told how many of how many photographs are done.

    Raises:
        ExaminationError: No photograph can be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = list(dict.fromkeys(paths))
    found: list[Observation] = []
    for number, path in enumerate(paths, 1):
        try:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            key = json.dumps([VERSION, features.fingerprint, path.name, content, list(kinds), seed])
            stored = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.safetensors"
            tensors = _kept(stored)
            if tensors is None:
                tensors = _measured(features, path, kinds, seed)
                write_atomically(stored, save(tensors))
        except (PictureError, FileNotFoundError):
            continue
        found += [
            Observation(
                path, kind, *(tensors[f"{kind}.{part}"] for part in ("moments", "tones", "signature", "errors"))
            )
            for kind in kinds
        ]
        on_progress(number, len(paths))
    if not found:
        raise ExaminationError(f"none of {len(paths)} photographs can be read; give a folder of clean pictures")
    return found


def _kept(stored: Path) -> dict[str, Tensor] | None:
    """What was measured before; None where nothing was, or its file is damaged."""
    try:
        return load(stored.read_bytes())
    except (FileNotFoundError, SafetensorError):
        return None


def _measured(features: DeepRepresentation, path: Path, kinds: Sequence[str], seed: int) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for specimen in specimens(path, kinds, seed):
        measured = measure(features, specimen.damaged)
        signature = torch.tensor([measured.signature.alpha, measured.signature.sigma])
        tensors |= {
            f"{specimen.kind}.moments": measured.moments,
            f"{specimen.kind}.tones": measured.tones,
            f"{specimen.kind}.signature": signature,
            f"{specimen.kind}.errors": _errors(specimen, measured.grid),
        }
    return tensors


def _errors(specimen: Specimen, grid: PatchGrid) -> Tensor:
    difference = grid.cut(specimen.damaged) - grid.cut(specimen.clean)  # (P, 3, SIDE, SIDE)
    return difference.square().sum((1, 2, 3)) / (3 * SIDE**2)
