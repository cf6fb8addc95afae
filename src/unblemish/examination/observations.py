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
from unblemish.examination.errors import ExaminationError, PairSizeError
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.patches import SIDE, PatchGrid
from unblemish.examination.specimens import NOTHING_GIVEN, Given, Specimen, shown, specimens
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
    given: Given = NOTHING_GIVEN,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Observation]:
    """Measures one specimen of each kind that each photograph shows, or reads what was measured before.

    Args:
        features: The descriptor, with tap "trunk".
        paths: Clean photographs; those are left out that cannot be read, or whose damaged partners cannot. Repeated
            ones count once.
        kinds: `CLEAN`, degradations of the catalogue, and given ones.
        folder: Where measurements are kept; made if missing.
        seed: Of the specimens.
        given: Damaged partners of photographs; see `specimens`.
        on_progress: Told how many of how many photographs are done.

    Raises:
        ExaminationError: No photograph can be read.
        PairSizeError: A photograph and a partner differ in size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = list(dict.fromkeys(paths))
    found: list[Observation] = []
    for number, path in enumerate(paths, 1):
        try:
            seen = shown(path, kinds, given)
            content, *partners = digests(path, seen, given)
            key = json.dumps([VERSION, features.fingerprint, path.name, content, seen, seed, *partners])
            stored = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.safetensors"
            tensors = _kept(stored)
            if tensors is None:
                tensors = _measured(features, path, seen, seed, given)
                write_atomically(stored, save(tensors))
        except PairSizeError:
            raise
        except (PictureError, FileNotFoundError):
            continue
        found += [
            Observation(
                path, kind, *(tensors[f"{kind}.{part}"] for part in ("moments", "tones", "signature", "errors"))
            )
            for kind in seen
        ]
        on_progress(number, len(paths))
    if not found:
        raise ExaminationError(f"none of {len(paths)} photographs can be read; give a folder of clean pictures")
    return found


def digests(path: Path, kinds: Sequence[str], given: Given) -> list[str | dict[str, str]]:
    """What tells a photograph's specimens from those of other files: its digest, and by kind those of its partners.

    The latter is left out where there are none, so that what was stored before there could be any is still found.

    Raises:
        FileNotFoundError: One of the files is missing.
    """
    partners = {kind: _digest(given[kind][path]) for kind in kinds if path in given.get(kind, {})}
    return [_digest(path), *([partners] if partners else [])]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _kept(stored: Path) -> dict[str, Tensor] | None:
    """What was measured before; None where nothing was, or its file is damaged."""
    try:
        return load(stored.read_bytes())
    except (FileNotFoundError, SafetensorError):
        return None


def _measured(
    features: DeepRepresentation, path: Path, kinds: Sequence[str], seed: int, given: Given
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for specimen in specimens(path, kinds, seed, given):
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
