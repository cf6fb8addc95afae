"""The weights that `unblemish train` leaves, read as a bundle of one network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import final

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from unblemish.restoration.bundle_parts import FORMAT, Manifest, NetworkEntry, first_complaint
from unblemish.restoration.bundle_storage import MANIFEST, Storage
from unblemish.restoration.errors import BundleError

SUFFIX = ".safetensors"

_FILE = f"weights{SUFFIX}"
_UNSAID = "not stated: the weights of a training"


@final
class TrainedWeights(Storage):
    """A safetensors file as if it lay beside a `bundle.json`, which is made from what its header says.

    Args:
        path: `best.safetensors` or `final.safetensors` of a training.

    Raises:
        BundleError: It cannot be read, or does not say which network it is for.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with safe_open(path, framework="np") as file:
                told = file.metadata() or {}
            entry = NetworkEntry(
                name=told["network"],
                purpose=told.get("purpose", _UNSAID),
                architecture=told["network"],
                options=json.loads(told.get("options", "{}")),
                steps=int(told.get("step", 0)),
                licence=_UNSAID,
                training_set=_UNSAID,
                recipe=told.get("purpose") or _UNSAID,
                file=_FILE,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )
        except ValidationError as error:
            raise BundleError(f"{path}: its header is damaged ({first_complaint(error)}): train again") from error
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise BundleError(
                f"{path} does not say which network it is for ({error}): give best.safetensors or final.safetensors of "
                "`unblemish train`, or a bundle"
            ) from error
        self._manifest = Manifest(format=FORMAT, default=entry.name, networks=(entry,)).model_dump_json().encode()

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        if name == MANIFEST:
            return self._manifest
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise BundleError(f"{self.path} cannot be read any more ({error.strerror}): give it again") from error

    def size(self, name: str) -> int:
        """See `Storage.size`."""
        return len(self.read(name))
