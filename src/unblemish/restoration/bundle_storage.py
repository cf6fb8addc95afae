"""Where the files of a bundle lie: in a folder, or packed into one file, from which parts are read in place.

A packed bundle is a zip archive without compression, so that no part can be larger than the file that holds it.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

from unblemish.restoration.errors import BundleError

MANIFEST = "bundle.json"

MANIFEST_LIMIT = 16_000_000
"""Bytes of a description, far above any real one."""

_MEMBER = re.compile(rf"{re.escape(MANIFEST)}|[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_ENCRYPTED = 0x1
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows: equal parts make equal files


class Storage(ABC):
    """Files by name, without folders.

    Attributes:
        path: Where they lie.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The whole content of a file.

        Raises:
            BundleError: There is none of that name, or it cannot be read.
        """

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file.

        Raises:
            BundleError: There is none of that name, or it cannot be read.
        """


@final
class Folder(Storage):
    """Files beside each other in a folder."""

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{self.path / name} cannot be read: fetch the bundle again") from error

    def size(self, name: str) -> int:
        """See `Storage.size`."""
        try:
            return (self.path / name).stat().st_size
        except OSError as error:
            raise BundleError(f"{self.path / name} cannot be read: fetch the bundle again") from error


@final
class PackedFile(Storage):
    """Files in a zip archive; its directory is checked each time it is opened."""

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        with self._opened() as archive:
            return archive.read(name)

    def size(self, name: str) -> int:
        """See `Storage.size`."""
        with self._opened() as archive:
            return archive.getinfo(name).file_size

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._check(archive.infolist())
                yield archive
        except KeyError as error:
            raise BundleError(f"{self.path} lacks a part ({error.args[0]}): fetch the bundle again") from error
        except (OSError, EOFError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
            raise BundleError(
                f"{self.path} is no packed bundle, or damaged ({error}): give one of `unblemish bundle pack`, or fetch "
                "it again"
            ) from error

    def _check(self, members: list[zipfile.ZipInfo]) -> None:
        names = [member.filename for member in members]
        odd = next((name for name in names if not _MEMBER.fullmatch(name)), None)
        if odd is not None:
            raise BundleError(f"{self.path} holds {odd!r}, which no bundle has: it is not safe to use")
        if len(set(names)) < len(names):
            raise BundleError(f"{self.path} holds a file twice: it is not safe to use")
        plain = all(m.compress_type == zipfile.ZIP_STORED and not m.flag_bits & _ENCRYPTED for m in members)
        if not plain or any(member.file_size != member.compress_size for member in members):
            raise BundleError(f"{self.path} is compressed or encrypted: pack it with `unblemish bundle pack`")
        if sum(member.file_size for member in members) > self.path.stat().st_size:
            raise BundleError(f"{self.path} claims to hold more than its size: it is not safe to use")


def open_storage(path: Path) -> Storage:
    """The files of a bundle, from its folder or its packed file.

    Raises:
        BundleError: There is no bundle.
    """
    storage = PackedFile(path) if path.is_file() else Folder(path)
    if isinstance(storage, Folder) and not (path / MANIFEST).is_file():
        raise BundleError(
            f"there is no bundle in {path} (no readable {MANIFEST}): give the folder of one, a packed one, or the "
            "best.safetensors of a training"
        )
    if storage.size(MANIFEST) > MANIFEST_LIMIT:
        raise BundleError(f"the {MANIFEST} of {path} is absurdly large: it is not safe to use")
    return storage


def is_packed(path: Path) -> bool:
    """Whether `path` is a packed bundle, of whatever format."""
    try:
        return path.is_file() and PackedFile(path).size(MANIFEST) > 0
    except BundleError:
        return False


def require_replaceable(output: Path) -> None:
    """Complains of a place where a packed bundle would replace something else.

    Raises:
        BundleError: There is something that is no packed bundle.
    """
    if output.exists() and not is_packed(output):
        raise BundleError(f"{output} is there and is no packed bundle: give another name")


def packed(files: Mapping[str, bytes]) -> bytes:
    """The content of a packed bundle; equal files give equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _TIMESTAMP)
            member.create_system = 3  # the same from every system
            member.external_attr = 0o644 << 16
            archive.writestr(member, files[name])
    return target.getvalue()
