"""From cards and tensors to the files of a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pydantic import ValidationError

from unblemish.files import write_atomically
from unblemish.restoration.bundle_parts import (
    FORMAT,
    FORMAT_WITH_GENERATORS,
    Card,
    ExaminationParts,
    Group,
    KnowledgeCard,
    KnowledgeEntry,
    Manifest,
    NetworkCard,
    NetworkEntry,
    Stored,
    first_complaint,
    parse_manifest,
)
from unblemish.restoration.bundle_storage import MANIFEST, Folder
from unblemish.restoration.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor

    Weights: TypeAlias = Mapping[str, Tensor] | bytes
    """Tensors by name, or the content of a safetensors file, which is kept byte for byte."""

    NetworkPart: TypeAlias = tuple[NetworkCard, Weights]
    Examination: TypeAlias = tuple[NetworkPart, tuple[KnowledgeCard, Weights]]
    """The descriptor, and the knowledge that was calibrated with it."""

_Entry = TypeVar("_Entry", NetworkEntry, KnowledgeEntry)


class NewFiles:
    """The files that a bundle is to get. Equal content shares a file, also with parts that the bundle has already.

    Args:
        parts: Those that the bundle has.

    Attributes:
        blobs: Content by the file's name.
    """

    def __init__(self, parts: Iterable[Stored] = ()) -> None:
        self.blobs: dict[str, bytes] = {}
        self._names = {part.sha256: part.file for part in parts}

    def add(self, name: str, content: bytes) -> Stored:
        """Adds a file, which is named after its content and `name` where its content is new."""
        digest = hashlib.sha256(content).hexdigest()
        file = self._names.setdefault(digest, f"{name}-{digest[:12]}.safetensors")
        self.blobs[file] = content
        return Stored(file=file, sha256=digest)


def store_networks(networks: Sequence[NetworkPart], files: NewFiles) -> list[NetworkEntry]:
    """The entries of networks; what they hold is put among `files`."""
    return [_stored(NetworkEntry, card.name, card, weights, files) for card, weights in networks]


def store_generators(generators: Sequence[NetworkPart], files: NewFiles) -> list[NetworkEntry]:
    """The entries of generators; what they hold is put among `files`."""
    return [_stored(NetworkEntry, f"generator-{card.name}", card, weights, files) for card, weights in generators]


def store_examination(parts: Examination | None, files: NewFiles) -> ExaminationParts | None:
    """The entries of what examines; what they hold is put among `files`."""
    if parts is None:
        return None
    (descriptor, weights), (knowledge, tensors) = parts
    return ExaminationParts(
        descriptor=_stored(NetworkEntry, "descriptor", descriptor, weights, files),
        knowledge=_stored(KnowledgeEntry, "knowledge", knowledge, tensors, files),
    )


def join(
    default: str,
    networks: Iterable[NetworkEntry],
    groups: Sequence[Group],
    examination: ExaminationParts | None,
    generators: Iterable[NetworkEntry],
) -> Manifest:
    """The description of a bundle.

    Raises:
        BundleError: The parts do not fit together.
    """
    replaying = tuple(generators)
    try:
        return Manifest(
            format=FORMAT_WITH_GENERATORS if replaying else FORMAT,
            default=default,
            networks=tuple(networks),
            groups=tuple(groups),
            examination=examination,
            generators=replaying,
        )
    except ValidationError as error:
        raise BundleError(f"the parts do not make a bundle: {first_complaint(error)}") from error


def put(folder: Path, manifest: Manifest, blobs: Mapping[str, bytes]) -> None:
    """Writes new files, then the description, which makes the change; what only the old bundle held goes last.

    Raises:
        OSError: A file cannot be written; the old bundle is then whole.
    """
    old = _files(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file, blob in blobs.items():
        path = folder / file
        if not path.is_file() or path.read_bytes() != blob:
            write_atomically(path, blob)
    write_atomically(folder / MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")
    for file in old - manifest.files:
        (folder / file).unlink(missing_ok=True)


def _stored(kind: type[_Entry], name: str, card: Card, weights: Weights, files: NewFiles) -> _Entry:
    from safetensors.torch import save

    if not isinstance(weights, bytes):
        # safetensors knows no layouts, and refuses tensors that share memory
        weights = save({key: value.detach().to("cpu", copy=True).contiguous() for key, value in weights.items()})
    facts = card.model_dump(exclude={*Stored.model_fields})  # an entry may be given as a card
    return kind(**facts, **files.add(name, weights).model_dump())


def _files(folder: Path) -> frozenset[str]:
    """The parts' files of the bundle in `folder`, none where there is no sound one."""
    try:
        return parse_manifest(Folder(folder).read(MANIFEST), str(folder)).files
    except BundleError:
        return frozenset()
