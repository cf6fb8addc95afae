"""Where a result comes from: command, revision, versions, hardware, seconds, seeds."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from unblemish.files import write_atomically

_SOURCE = Path(__file__).resolve().parents[1]
_PACKAGES = (
    "unblemish",
    "torch",
    "numpy",
    "pillow",
    "pyvips",
    "safetensors",
    "lightning-fabric",
    "onnxruntime",
    "openvino",
    "opencv-python-headless",
    "scikit-image",
    "scipy",
    "matplotlib",
    "bm3d",
)


def provenance(command: Sequence[str], seeds: Sequence[int], seconds: float) -> dict[str, Any]:
    """What a result must be stored with, so that it can be judged and repeated.

    Args:
        command: The words of the command line; they are recorded as a shell takes them.
        seeds: All seeds that were used.
        seconds: Wall-clock time the result took.

    Returns:
        A dictionary fit for JSON; `revision` is None outside a git checkout of this project.
    """
    return {
        "command": shlex.join(command),
        "seeds": list(seeds),
        "seconds": round(seconds, 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": revision(),
        "versions": versions(),
        "hardware": hardware(),
    }


def revision() -> dict[str, Any] | None:
    """The commit of the checkout this package runs from, and whether files differ from it; else None."""
    top = _git(_SOURCE, "rev-parse", "--show-toplevel")
    # An installed copy may lie in a virtual environment inside some other project's checkout.
    if not top or Path(top).resolve() / "src" / "unblemish" != _SOURCE:
        return None
    commit = _git(_SOURCE, "rev-parse", "--verify", "HEAD")
    return {"commit": commit, "dirty": bool(_git(_SOURCE, "status", "--porcelain"))} if commit else None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that bear on results, as far as installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, usable cores, threads of torch, and the GPU or None."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def write_result(path: Path, payload: Mapping[str, Any]) -> None:
    """Writes JSON with sorted keys, in one step: a reader finds the old file or the new one, never a part.

    Args:
        path: File to write; its folder is made where it is missing.
        payload: What to write, without infinities or NaN.

    Raises:
        ValueError: The payload holds a number JSON has no word for.
        OSError: The file cannot be written; an older one is left as it was.
    """
    text = json.dumps(payload, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def _git(folder: Path, *words: str) -> str:
    """Output of a git command, empty where it fails or there is no git."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
