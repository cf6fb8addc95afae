"""Bundle: networks with everything a user must know about them.

A folder with `bundle.json` and one safetensors file for each network, named after its content so that
rewriting a bundle never damages the one that is in use.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from unblemish.files import write_atomically
from unblemish.restoration.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor

    from unblemish.networks.base import Network

FORMAT = 1
"""Version of the layout of `bundle.json` that this program writes and reads."""

ENVIRONMENT = "UNBLEMISH_BUNDLE"
"""Environment variable that names the bundle to use in place of the one in the wheel."""

_MANIFEST = "bundle.json"


class NetworkCard(BaseModel):
    """What is known about a network's weights.

    Attributes:
        name: What users choose it by.
        purpose: One sentence: which damage it treats.
        architecture: Key in the catalogue of networks.
        options: Arguments of the architecture.
        licence: SPDX identifier of the weights' licence.
        training_set: What it was trained on, with the licence of those pictures.
        protocol: How `scores` are computed: set, channels, crop, rounding.
        scores: Numbers by name, such as "psnr/gaussian_noise".
        steps: Training steps.
        hardware: What it was trained on.
        revision: Git revision of the program that trained it.
        tile_margin: Pixels next to a tile's inner edge that differ visibly from the whole picture's result,
            as measured; None where the receptive field is to be used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    purpose: str
    architecture: str
    options: dict[str, JsonValue] = {}
    licence: str
    training_set: str
    protocol: str = ""
    scores: dict[str, float] = {}
    steps: int = Field(default=0, ge=0)
    hardware: str = ""
    revision: str = ""
    tile_margin: int | None = Field(default=None, ge=0)


class NetworkEntry(NetworkCard):
    """A card with the file that holds the weights.

    Attributes:
        file: Name of the safetensors file beside the manifest.
        sha256: Its checksum, hexadecimal.
    """

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """The content of `bundle.json`.

    Attributes:
        format: Version of this layout.
        default: Name of the network that restores where none is asked for.
        networks: Every network of the bundle.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    default: str
    networks: tuple[NetworkEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [entry.name for entry in self.networks]
        if len(set(names)) < len(names):
            raise ValueError(f"two networks have one name among {', '.join(names)}")
        if self.default not in names:
            raise ValueError(f"the default network '{self.default}' is none of {', '.join(names)}")
        return self


class Bundle:
    """A folder of described networks; weights are read when a network is asked for.

    Attributes:
        folder: Where it lies.
        manifest: What it holds.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def load(cls, path: str | Path | None = None) -> Bundle:
        """Reads a bundle's description.

        Args:
            path: Its folder; None takes the one that `UNBLEMISH_BUNDLE` names, else the one in the wheel.

        Raises:
            BundleError: There is no bundle, or its description is damaged or from a newer program.
        """
        folder = Path(path or os.environ.get(ENVIRONMENT) or str(files("unblemish") / "assets" / "default_bundle"))
        try:
            content = json.loads((folder / _MANIFEST).read_bytes())
        except OSError as error:
            raise BundleError(
                f"there is no bundle in {folder} (no readable {_MANIFEST}): give the folder of one"
            ) from error
        except ValueError as error:
            raise BundleError(f"{folder / _MANIFEST} is no JSON ({error}): fetch the bundle again") from error
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise BundleError(
                f"{folder} has bundle format {found} and this program reads {FORMAT}: use a version that fits"
            )
        try:
            return cls(folder, Manifest.model_validate(content))
        except ValidationError as error:
            raise BundleError(f"{folder / _MANIFEST}: {_first(error)}; mend it or fetch the bundle again") from error

    @classmethod
    def write(
        cls,
        folder: Path,
        networks: Sequence[tuple[NetworkCard, Mapping[str, Tensor]]],
        default: str | None = None,
    ) -> Bundle:
        """Writes a bundle, or replaces the one in `folder`: until the last moment the old one stays usable.

        Args:
            folder: Where to; it is made if need be.
            networks: Card and weights (a state dict, written in its own dtypes) of each network.
            default: The network to restore with where none is asked for; the first where None.

        Raises:
            BundleError: `folder` holds other things than a bundle, or the cards do not fit together.
        """
        from safetensors.torch import save

        folder = Path(folder)
        if folder.exists() and any(folder.iterdir()) and not (folder / _MANIFEST).exists():
            raise BundleError(f"{folder} holds other files than a bundle: give a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        blobs, entries = {}, []
        for card, weights in networks:
            blob = save({key: value.detach().cpu().contiguous() for key, value in weights.items()})
            digest = hashlib.sha256(blob).hexdigest()
            file = f"{card.name}-{digest[:12]}.safetensors"
            blobs[file] = blob
            entries.append(NetworkEntry(**card.model_dump(), file=file, sha256=digest))
        try:
            manifest = Manifest(format=FORMAT, default=default or entries[0].name, networks=tuple(entries))
        except ValidationError as error:
            raise BundleError(f"the networks do not make a bundle: {_first(error)}") from error
        obsolete = cls._files(folder) - blobs.keys()
        for file, blob in blobs.items():
            write_atomically(folder / file, blob)
        write_atomically(folder / _MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")
        for file in obsolete:
            (folder / file).unlink(missing_ok=True)
        return cls(folder, manifest)

    @staticmethod
    def _files(folder: Path) -> set[str]:
        """The weight files of the bundle in `folder`, none where there is no sound one."""
        try:
            return {entry.file for entry in Bundle.load(folder).manifest.networks}
        except BundleError:
            return set()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the networks."""
        return tuple(entry.name for entry in self.manifest.networks)

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

    def network(self, name: str | None = None) -> Network:
        """Builds a network and loads its weights: float32, on the CPU, in evaluation mode.

        Raises:
            BundleError: The file is missing or differs from its checksum.
            NetworkError: The architecture is unknown, or the weights do not fit it.
        """
        from safetensors.torch import load

        from unblemish.networks.catalogue import create
        from unblemish.networks.loading import put_weights

        entry = self.entry(name)
        path = self.folder / entry.file
        try:
            blob = path.read_bytes()
        except OSError as error:
            raise BundleError(f"the weights {path} cannot be read: fetch the bundle again") from error
        if hashlib.sha256(blob).hexdigest() != entry.sha256:
            raise BundleError(f"{path} differs from its checksum in {_MANIFEST}: fetch the bundle again")
        network = create(entry.architecture, entry.options)
        put_weights(network, load(blob), path)
        return network.eval()


def _first(error: ValidationError) -> str:
    """The first complaint, on one line."""
    detail = error.errors()[0]
    place = ".".join(str(part) for part in detail["loc"])
    return f"{place}: {detail['msg']}" if place else detail["msg"]
