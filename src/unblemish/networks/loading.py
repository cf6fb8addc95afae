"""Weight files: our own are safetensors, those of others are read without running any code of theirs."""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from unblemish.files import write_atomically
from unblemish.networks.base import Network
from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError

FOREIGN = (".pth", ".pt", ".ckpt")
"""Endings of PyTorch checkpoints."""

WRAPPERS = ("params_ema", "params", "state_dict", "model")
"""Keys under which training programs put the weights, the first that is there is taken."""

_LISTED = 3
"""Names of a kind that an error lists before it only counts."""


def save_weights(
    network: nn.Module, path: str | Path, metadata: Mapping[str, str], dtype: torch.dtype | None = None
) -> None:
    """Writes weights and buffers as safetensors; an older file stays until the new one is complete.

    Equal weights and metadata give equal files, to the byte.

    Args:
        network: Not changed.
        path: Where to, in an existing folder.
        metadata: Stored in the file's header.
        dtype: Number format of floating-point weights in the file, as `torch.float16`; None keeps theirs.

    Raises:
        OSError: The file cannot be written.
    """
    weights = {}
    for key, value in network.state_dict().items():
        kept = value.detach().to("cpu", dtype if value.is_floating_point() else None)
        weights[key] = kept.contiguous()  # safetensors knows no channels_last
    write_atomically(Path(path), _ordered(save(weights, dict(metadata))))


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Fills a network from a safetensors file; its dtype, device and memory format stay as they are.

    Raises:
        NetworkError: The file cannot be read or does not fit; the network is then unchanged.
    """
    path = _existing(path)
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise NetworkError(
            f"{path}: is damaged or no safetensors file ({_line(error)}); give one of `unblemish train`"
        ) from error
    put_weights(network, weights, path)


def load_described(path: str | Path) -> Network:
    """Builds the network that a safetensors file of `unblemish train` says it is for, and fills it.

    Returns:
        float32, on the CPU, in training mode.

    Raises:
        NetworkError: The file cannot be read, does not say its network, or does not fit it.
    """
    path = _existing(path)
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
        name, options = told["network"], json.loads(told.get("options", "{}"))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise NetworkError(
            f"{path}: does not say which network it is for ({_line(error)}); give weights of `unblemish train`"
        ) from error
    network = create(name, options)
    load_weights(network, path)
    return network


def put_weights(network: nn.Module, weights: Mapping[str, Tensor], origin: str | Path) -> None:
    """Fills a network with named tensors, all of them and no others.

    Args:
        network: Changed in place, only if everything fits.
        weights: By the names of `network.state_dict()`, of any floating dtype.
        origin: Where they come from, for the error.

    Raises:
        NetworkError: A tensor is missing, unexpected, or of another shape; the message lists them.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    complaints = {
        "missing": [key for key in wanted if key not in weights],
        "unexpected": [key for key in weights if key not in wanted],
        "of another shape": [
            f"{key} {tuple(weights[key].shape)} instead of {shape}"
            for key, shape in wanted.items()
            if key in weights and tuple(weights[key].shape) != shape
        ],
    }
    listed = "; ".join(f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in complaints.items() if keys)
    if listed:
        raise NetworkError(
            f"{origin}: does not fit {type(network).__name__} ({listed}); "
            "give the network and the options that it was saved from"
        )
    network.load_state_dict(dict(weights))


def read_foreign(path: str | Path) -> dict[str, Tensor]:
    """Reads the weights of a PyTorch checkpoint (.pth, .pt, .ckpt) that another program wrote.

    Weights inside an entry of `WRAPPERS` are taken out of it, and the prefix that data-parallel training
    adds is taken off their names. No code from the file is run.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        NetworkError: The file cannot be read, would run code, or holds no weights.
    """
    path = _existing(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats of the file that the user cannot change
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise NetworkError(
            f"{path}: is refused because it holds more than tensors, and reading that can run harmful code; "
            "save its state dict as safetensors with the program that wrote it"
        ) from error
    except Exception as error:  # PyTorch's reader fails in many ways on files that are not its own
        raise NetworkError(f"{path}: is damaged or no PyTorch checkpoint ({_line(error)}); fetch it again") from error
    while isinstance(content, dict) and (found := [key for key in WRAPPERS if isinstance(content.get(key), dict)]):
        content = content[found[0]]
    pairs = content.items() if isinstance(content, dict) else ()
    if not pairs or not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in pairs):
        raise NetworkError(
            f"{path}: holds no weights at its top nor under {', '.join(WRAPPERS)}; save its state dict on its own"
        )
    prefix = "module." if all(key.startswith("module.") for key, _ in pairs) else ""
    return {key.removeprefix(prefix): value for key, value in pairs}


def sha256(path: str | Path) -> str:
    """Checksum of a file, 64 hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its metadata in the order of their keys; the library writes them in any order."""
    start = 8 + int.from_bytes(content[:8], "little")  # the format: length, header, tensors
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    return len(told).to_bytes(8, "little") + told + content[start:]


def _existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise NetworkError(f"{path}: there is no such file; check the path")
    return Path(path)


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:_LISTED])
    return f"{shown}, ..." if len(keys) > _LISTED else shown


def _line(error: Exception) -> str:
    """The kind of error and the first line of its message."""
    return f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0]
