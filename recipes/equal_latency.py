"""Finds the width at which an architecture restores as fast as a network that it is to be compared with.

    python recipes/equal_latency.py FPPF/FFFF/PFFP --against nafnet_compact -o results/equal_latency.json
    python recipes/equal_latency.py --network nafnet_compact --against golf --widths 128 192 -o results/golf_time.json

Both run along the default path of `unblemish restore` on this machine. All candidates are timed in turn, so that a busy
moment hurts all alike; medians count. The widest candidate that is not slower than the other network is "chosen", to be
trained against it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from unblemish.errors import UserError
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.evaluation.timing import interleaved, multiply_adds_per_pixel
from unblemish.networks.base import Network
from unblemish.networks.catalogue import create
from unblemish.restoration.restorer import Restorer


def timed(networks: Sequence[Network], side: int, repeats: int) -> list[float]:
    """Median seconds that each takes for a square picture."""
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))

    def once(network: Network) -> Callable[[], object]:
        restorer = Restorer(network=network.eval())
        return lambda: restorer.restore_tensor(picture)

    functions = [once(network) for network in networks]
    interleaved(functions, repeats=2)
    return interleaved(functions, repeats=repeats)


def measure(
    name: str, options: dict[str, object], against: tuple[str, dict[str, object]], widths: Sequence[int], side: int,
    repeats: int,
) -> dict[str, Any]:  # fmt: skip
    """Seconds, size and work of the reference and of each width; "chosen" is None where all are slower."""
    candidates = {width: create(name, {**options, "width": width}) for width in widths}
    reference = create(*against)
    seconds, *each = timed([reference, *candidates.values()], side, repeats)
    rows = [
        {
            "width": width, "seconds": taken, "parameters": network.parameter_count,
            "multiply_adds_per_pixel": multiply_adds_per_pixel(network),
        }
        for (width, network), taken in zip(candidates.items(), each, strict=True)
    ]  # fmt: skip
    quick = [row["width"] for row in rows if row["seconds"] <= seconds]
    return {
        "network": name, **options, "side": side, "candidates": rows,
        "against": {
            "network": against[0], **against[1], "seconds": seconds, "parameters": reference.parameter_count,
            "multiply_adds_per_pixel": multiply_adds_per_pixel(reference),
        },
        "chosen": max(quick, default=None),
    }  # fmt: skip


def main(words: Sequence[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", nargs="?", help="such as FPPF/FFFF/PFFP, of a multi-scale network")
    parser.add_argument("--against", default="nafnet_compact", help="network of the catalogue")
    parser.add_argument("--against-options", type=json.loads, default={}, help='as JSON, such as {"fold": 2}')
    parser.add_argument("--network", default="multiscale_compact", help="of the catalogue, with an option width")
    parser.add_argument("--options", type=json.loads, default={}, help="its others, as JSON")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 12, 16, 20, 24, 32])
    parser.add_argument("--side", type=int, default=768, help="of the picture, pixels")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(words)
    began = time.perf_counter()
    options = {**chosen.options, **({"architecture": chosen.architecture} if chosen.architecture else {})}
    against = (chosen.against, chosen.against_options)
    found = measure(chosen.network, options, against, chosen.widths, chosen.side, chosen.repeats)
    origin = provenance(
        ["python", "recipes/equal_latency.py", *(words or sys.argv[1:])], [0], time.perf_counter() - began
    )
    write_result(chosen.output, {"provenance": origin, **found})


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
