"""Bundle: networks, and what chooses among them, with everything a user must know about each part.

A folder with `bundle.json` and the parts' safetensors files, named after their content so that rewriting a bundle
never damages the one that is in use; or the same files packed into one. Parts with the same content share a file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from unblemish.files import write_atomically
from unblemish.restoration.bundle_parts import (
    ExaminationParts,
    Group,
    Manifest,
    NetworkEntry,
    Stored,
    parse_manifest,
)
from unblemish.restoration.bundle_storage import MANIFEST, Storage, open_storage, packed, require_replaceable
from unblemish.restoration.bundle_writing import (
    NewFiles,
    join,
    put,
    store_examination,
    store_generators,
    store_networks,
)
from unblemish.restoration.errors import BundleError
from unblemish.restoration.trained_weights import SUFFIX, TrainedWeights

if TYPE_CHECKING:
    from torch import Tensor

    from unblemish.networks.base import Network
    from unblemish.restoration.bundle_check import PartReport
    from unblemish.restoration.bundle_writing import Examination, NetworkPart

ENVIRONMENT = "UNBLEMISH_BUNDLE"
"""Environment variable that names the bundle to use in place of the one in the wheel."""

IN_WHEEL = "default"
"""Names the bundle in the wheel wherever a bundle's path is asked for, unless something else is there."""


class Bundle:
    """Described parts; tensors are read when a part is asked for. Nothing is ever unpickled.

    Attributes:
        path: Its folder or packed file.
        manifest: What it holds.
    """

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self._storage = storage
        self.path = storage.path
        self.manifest = manifest

    @classmethod
    def load(cls, path: str | Path | None = None) -> Bundle:
        """Reads a bundle's description.

        Args:
            path: Its folder or packed file, or weights of `unblemish train`, which are a bundle of one network; None
                takes the one that `UNBLEMISH_BUNDLE` names, else the one in the wheel, as "default" always does.

        Raises:
            BundleError: There is no bundle, or its description is damaged or of another format.
        """
        given = _located(path or os.environ.get(ENVIRONMENT))
        storage = TrainedWeights(given) if given.suffix == SUFFIX else open_storage(given)
        return cls(storage, parse_manifest(storage.read(MANIFEST), str(given / MANIFEST)))

    @classmethod
    def write(
        cls,
        folder: Path,
        networks: Sequence[NetworkPart],
        default: str | None = None,
        groups: Sequence[Group] = (),
        examination: Examination | None = None,
        generators: Sequence[NetworkPart] = (),
    ) -> Bundle:
        """Writes a bundle, or replaces the one in `folder`: until the last moment the old one stays usable.

        Args:
            folder: Where to; it is made if need be.
            networks: Card and weights (a state dict, written in its own dtypes) of each network.
            default: The network to restore with where none is chosen; the first where None.
            groups: Degradations by the network that treats them.
            examination: Descriptor and knowledge, a card and tensors each.
            generators: Card and weights of each network that makes damage; its card's `treats` says which.

        Raises:
            BundleError: `folder` holds other things than a bundle, or the cards do not fit together.
        """
        folder = Path(folder)
        if folder.is_file():
            raise BundleError(f"{folder} is a file: give a folder, and pack it afterwards")
        if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
            raise BundleError(f"{folder} holds other files than a bundle: give a new folder")
        new = NewFiles()
        entries = store_networks(networks, new)
        first = entries[0].name if entries else ""
        examines, replaying = store_examination(examination, new), store_generators(generators, new)
        put(folder, join(default or first, entries, groups, examines, replaying), new.blobs)
        return cls.load(folder)

    def update(
        self,
        networks: Sequence[NetworkPart] = (),
        default: str | None = None,
        groups: Sequence[Group] | None = None,
        examination: Examination | None = None,
        generators: Sequence[NetworkPart] = (),
    ) -> Bundle:
        """Replaces or adds parts in the bundle's folder; files of all other parts are not touched.

        Args:
            networks: Each replaces the one of its name, or joins as the last. To change a card alone, give the entry
                with the change (`model_copy`) and `blob(entry)`.
            default: The network to restore with where none is chosen; None keeps it.
            groups: All of them; None keeps them.
            examination: Descriptor and knowledge; None keeps them.
            generators: As `networks`.

        Returns:
            The bundle as it is now.

        Raises:
            BundleError: The bundle is packed, or the parts do not fit together.
        """
        if self.path.is_file():
            raise BundleError(f"{self.path} is packed: change the folder that it was packed from, and pack it again")
        new = NewFiles(self.manifest.parts.values())
        manifest = join(
            default or self.manifest.default,
            _replaced(self.manifest.networks, store_networks(networks, new)),
            self.groups if groups is None else groups,
            store_examination(examination, new) or self.manifest.examination,
            _replaced(self.manifest.generators, store_generators(generators, new)),
        )
        put(self.path, manifest, new.blobs)
        return Bundle.load(self.path)

    def pack(self, output: Path) -> Bundle:
        """Writes the bundle's parts into one file, in one step; equal bundles give equal files.

        Args:
            output: Where to; a packed bundle that is there is replaced.

        Raises:
            BundleError: A part differs from its checksum, or `output` is something else than a packed bundle.
        """
        output = Path(output)
        require_replaceable(output)
        parts = {entry.file: self.blob(entry) for entry in self.manifest.parts.values()}
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, packed({MANIFEST: self._storage.read(MANIFEST), **parts}))
        return Bundle.load(output)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the networks that restore."""
        return tuple(entry.name for entry in self.manifest.networks)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Degradations by the network that treats them."""
        return self.manifest.groups

    def entry(self, name: str | None = None) -> NetworkEntry:
        """Description of a network; of the default one where no name is given.

        Raises:
            BundleError: There is none of that name.
        """
        wanted = name or self.manifest.default
        for entry in self.manifest.networks:
            if entry.name == wanted:
                return entry
        raise BundleError(f"the bundle has no network '{wanted}': choose {', '.join(self.names)}")

    def group(self, name: str) -> Group:
        """A group, with the name of its network.

        Raises:
            BundleError: There is none of that name.
        """
        for group in self.groups:
            if group.name == name:
                return group
        known = ", ".join(group.name for group in self.groups)
        advice = f"choose {known}" if known else "it has none, choose a network"
        raise BundleError(f"the bundle has no group '{name}': {advice}")

    def network(self, name: str | None = None) -> Network:
        """Builds a network that restores; the default one where no name is given. See `build`."""
        return self.build(self.entry(name))

    def generator(self, name: str) -> Network:
        """Builds a network that makes the damage its entry states. See `build`.

        Raises:
            BundleError: There is none of that name.
        """
        for entry in self.manifest.generators:
            if entry.name == name:
                return self.build(entry)
        known = ", ".join(entry.name for entry in self.manifest.generators)
        advice = f"choose {known}" if known else "it has none, give a bundle with generators"
        raise BundleError(f"the bundle has no generator '{name}': {advice}")

    def descriptor(self) -> Network:
        """Builds the network whose features describe pictures. See `build`.

        Raises:
            BundleError: The bundle examines no pictures.
        """
        return self.build(self._examination.descriptor)

    def knowledge(self) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
        """What an examination is concluded from, as stored: tensors on the CPU, and settings.

        Raises:
            BundleError: The bundle examines no pictures, or the file is missing or damaged.
        """
        entry = self._examination.knowledge
        return self._tensors(entry), entry.settings

    def build(self, entry: NetworkEntry) -> Network:
        """Builds a network and loads its weights: float32, on the CPU, in evaluation mode.

        Raises:
            BundleError: The file is missing or differs from its checksum.
            NetworkError: The architecture is unknown, or the weights do not fit it.
        """
        from unblemish.networks.catalogue import create
        from unblemish.networks.loading import put_weights

        weights = self._tensors(entry)
        network = create(entry.architecture, entry.options)
        put_weights(network, weights, self.path / entry.file)
        return network.eval()

    def blob(self, entry: Stored) -> bytes:
        """The file of a part, checked.

        Raises:
            BundleError: It is missing or differs from its checksum.
        """
        content = self._storage.read(entry.file)
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise BundleError(
                f"{self.path / entry.file} differs from its checksum in {MANIFEST}: fetch the bundle again"
            )
        return content

    def size(self, entry: Stored) -> int:
        """Bytes of a part's file.

        Raises:
            BundleError: It is missing.
        """
        return self._storage.size(entry.file)

    @property
    def total_bytes(self) -> int:
        """Bytes of all files together.

        Raises:
            BundleError: One is missing.
        """
        return sum(map(self._storage.size, {MANIFEST, *self.manifest.files}))

    def verify(self) -> tuple[PartReport, ...]:
        """Reads and builds every part and says of each what is wrong. See `bundle_check.check`."""
        from unblemish.restoration.bundle_check import check

        return check(self)

    @property
    def _examination(self) -> ExaminationParts:
        if self.manifest.examination is None:
            raise BundleError(f"{self.path} examines no pictures: name a network of it, or give another bundle")
        return self.manifest.examination

    def _tensors(self, entry: Stored) -> dict[str, Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load

        content = self.blob(entry)
        try:
            return load(content)
        except (SafetensorError, KeyError, ValueError) as error:  # a KeyError for number formats PyTorch lacks
            raise BundleError(f"{self.path / entry.file} is no safetensors file: build the bundle again") from error


def _located(path: str | Path | None) -> Path:
    """Where a bundle is, see `Bundle.load`."""
    if not path or (str(path) == IN_WHEEL and not Path(path).exists()):
        return Path(str(files("unblemish") / "assets" / "default_bundle"))
    return Path(path)


def _replaced(old: Sequence[NetworkEntry], new: Sequence[NetworkEntry]) -> tuple[NetworkEntry, ...]:
    """Each new entry in place of the one of its name, or as the last."""
    return tuple(({entry.name: entry for entry in old} | {entry.name: entry for entry in new}).values())
