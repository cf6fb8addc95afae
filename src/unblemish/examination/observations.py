"""Observations: the measurements of many specimens, kept on disk one by one.

An interrupted calibration goes on, and one with more kinds of damage measures only these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
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
            found += _observed(features, path, shown(path, kinds, given), folder, seed, given)
        except PairSizeError:
            raise
        except (PictureError, FileNotFoundError):
            continue
        on_progress(number, len(paths))
    if not found:
        raise ExaminationError(f"none of {len(paths)} photographs can be read; give a folder of clean pictures")
    return found


def _observed(
    features: DeepRepresentation, path: Path, kinds: Sequence[str], folder: Path, seed: int, given: Given
) -> list[Observation]:
    """Of one photograph."""
    seen = digests(path, kinds, given)
    files = {
        kind: folder / f"{key([VERSION, features.fingerprint, path.name, *seen[kind], kind, seed])}.safetensors"
        for kind in kinds
    }
    kept = {kind: _kept(stored) for kind, stored in files.items()}
    missing = [kind for kind, tensors in kept.items() if tensors is None]
    for kind, tensors in _measured(features, path, missing, seed, given) if missing else ():
        write_atomically(files[kind], save(tensors))
        kept[kind] = tensors
    return [Observation(path, kind, **tensors) for kind, tensors in kept.items() if tensors is not None]


def digests(path: Path, kinds: Sequence[str], given: Given) -> dict[str, list[str]]:
    """What tells a photograph's specimens from those of other files: its digest, and that of its partner if any.

    Raises:
        FileNotFoundError: One of the files is missing.
    """
    own = _digest(path)
    return {kind: [own, *([_digest(partner)] if (partner := given.get(kind, {}).get(path)) else [])] for kind in kinds}


def key(parts: Sequence[object]) -> str:
    """A file's name for what depends on these parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


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
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Of each kind the parts of its `Observation`."""
    for specimen in specimens(path, kinds, seed, given):
        measured = measure(features, specimen.damaged)
        yield (
            specimen.kind,
            {
                "moments": measured.moments,
                "tones": measured.tones,
                "signature": torch.tensor([measured.signature.alpha, measured.signature.sigma]),
                "errors": _errors(specimen, measured.grid),
            },
        )


def _errors(specimen: Specimen, grid: PatchGrid) -> Tensor:
    difference = grid.cut(specimen.damaged) - grid.cut(specimen.clean)  # (P, 3, SIDE, SIDE)
    return difference.square().sum((1, 2, 3)) / (3 * SIDE**2)
