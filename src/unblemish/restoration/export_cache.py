"""ONNX files kept between runs: exporting takes ten seconds, reading the file again a tenth of one."""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import torch

from unblemish.networks.base import Network
from unblemish.restoration.export import OPSET, export_onnx

Content = TypeVar("Content")

_log = logging.getLogger(__name__)


def exported(network: Network, read: Callable[[Path], Content]) -> Content:
    """What `read` makes of a network as an ONNX file with dynamic sizes.

    The file comes from the cache if it is there, and goes there if that can be written.

    Args:
        network: As `export_onnx` takes it.
        read: Gets the file's path, which holds only until it returns.

    Raises:
        ExportError: The network cannot be exported.
    """
    try:
        path = cache_folder() / f"{fingerprint(network)}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            export_onnx(network, path)
        return read(path)
    except OSError as error:
        _log.info("no cache for ONNX files (%s); exporting for this run alone", error)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(network, path)
        return read(path)


def cache_folder() -> Path:
    """Where the files lie: below `XDG_CACHE_HOME`, or else where the system keeps caches of its users.

    Raises:
        OSError: This user has no home.
    """
    named = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    try:
        usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error
    return (Path(named) if named else usual) / "unblemish" / "onnx"


def fingerprint(network: Network) -> str:
    """A checksum of all that decides what the file holds: weights, code and layers, exporter."""
    digest = hashlib.sha256(f"{torch.__version__} {OPSET} {network.scale} {network}".encode())
    digest.update(Path(inspect.getfile(type(network))).read_bytes())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.detach().float().cpu().numpy()).tobytes())
    return digest.hexdigest()[:32]
