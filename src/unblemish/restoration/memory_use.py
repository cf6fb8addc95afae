"""Memory that restoring a huge picture takes, measured in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from unblemish.restoration.errors import RestorationError


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """What one restoration took.

    Attributes:
        size: Height and width of the picture.
        memory: The budget for tiles that it was given.
        tile: Longest side of a tile in pixels.
        idle: Resident bytes with the program and the picture loaded, before it is restored, without the picture.
        peak: Most resident bytes of the process, without the picture and its result.
        seconds: For the restoration.
    """

    size: tuple[int, int]
    memory: str
    tile: int
    idle: int
    peak: int
    seconds: float


def measure_memory(
    side: int, memory: str, *, bundle: Path | None = None, network: str | None = None, architecture: str | None = None
) -> MemoryUse:
    """Restores a made-up square 8-bit picture in a new Python process on the CPU.

    Args:
        side: Of the picture in pixels.
        memory: Budget, as `--memory` takes it.
        bundle: Folder of the bundle; None for the default one.
        network: Its network; None for its default one.
        architecture: Key in the catalogue of networks to use instead of a bundle, with random weights.

    Raises:
        RestorationError: This system does not tell what a process takes, or the process failed.
    """
    if not Path("/proc/self/status").exists():
        raise RestorationError("peak memory is read from Linux' /proc: measure it on Linux, or leave it out")
    request = json.dumps(
        {
            "side": side,
            "memory": memory,
            "bundle": None if bundle is None else str(bundle),
            "network": network,
            "architecture": architecture,
        }
    )
    program = "import sys; from unblemish.restoration.memory_use import report; report(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, request], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RestorationError(
            f"the measurement of memory failed: {(done.stderr.strip() or 'killed').splitlines()[-1]}"
        )
    found = json.loads(done.stdout)
    return MemoryUse(**found | {"size": tuple(found["size"])})


def report(request: str) -> None:
    """What the new process does: writes a `MemoryUse` as JSON to standard output."""
    from unblemish.networks.catalogue import create
    from unblemish.pictures.picture import Picture
    from unblemish.restoration.restorer import Restorer

    asked = json.loads(request)
    network = create(asked["architecture"]) if asked["architecture"] else asked["network"]
    restorer = Restorer(asked["bundle"], network=network, memory=asked["memory"], device="cpu")
    side = asked["side"]
    pixels = np.full((side, side, 3), 100, np.uint8)
    idle = _status("VmRSS") - pixels.nbytes
    start = perf_counter()
    restored = restorer.restore(Picture(pixels, "png"))
    seconds = perf_counter() - start
    peak = _status("VmHWM") - pixels.nbytes - restored.pixels.nbytes
    tile = restorer.describe(side, side).tile
    use = MemoryUse((side, side), asked["memory"], tile, idle, peak, seconds)
    sys.stdout.write(json.dumps(asdict(use)) + os.linesep)


def _status(field: str) -> int:
    """Bytes, from Linux' description of this process."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
