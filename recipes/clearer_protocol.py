"""Scores gray networks of the multi-scale space as CLEARER's Tables 1 and 3 do.

    python recipes/clearer_protocol.py ../shared/data 30=runs/a/final.safetensors 50=runs/b/final.safetensors \
        -o results/clearer_protocol.json

Each network is scored at the noise it was trained for: on BSDS500 test, and at sigma 50 on Set12 and BSD68 too; whole
pictures, cut in the middle to multiples of 64, restored in eight orientations (CLEARER), and patches of 64 x 64 pixels,
each restored once (CLEARER-P); with noise that is cut off to 8 bit, as in the released code, and with noise that is
not rounded. Several networks for one sigma, such as of several seeds, are averaged. See docs/protocol.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from unblemish.degradations.noise import GrayGaussianNoise
from unblemish.degradations.quantisation import Rounding
from unblemish.errors import UserError
from unblemish.evaluation.cases import DegradedFolder
from unblemish.evaluation.metrics import create_metric
from unblemish.evaluation.preparation import Preparation
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.evaluation.scoring import Method, score
from unblemish.evaluation.self_ensemble import self_ensemble
from unblemish.networks.base import Network
from unblemish.networks.loading import load_described
from unblemish.studies.records import file_digest

SETS = {"bsds500_test": "bsds500/test", "set12": "eval/set12", "bsd68": "eval/bsd68"}
"""Folders below the data's."""

EVERYWHERE = 50
"""The sigma that is scored on all sets."""

SIDE = 64
"""Of the patches, and what whole pictures are cut to multiples of."""

ROUNDINGS: tuple[Rounding, ...] = ("truncated", "none")
INPUT, WHOLE, PATCHES = "input", "whole, eight orientations", "patches"


def rows(data: Path, sigma: int, network: Network, limit: int | None) -> Iterator[dict[str, Any]]:
    """The scores of one network: one row a set, way and rounding, and those of the noisy pictures."""

    def restore(x: Tensor) -> Tensor:
        return network(x[:, :1]).expand_as(x)

    ways = {
        WHOLE: (Preparation(gray=True, multiple=SIDE), self_ensemble(restore)),
        PATCHES: (Preparation(gray=True, patch=SIDE), lambda x: restore(x).clamp(0.0, 1.0)),
    }
    for name in SETS if sigma == EVERYWHERE else list(SETS)[:1]:
        for way, (preparation, method) in ways.items():
            for rounding in ROUNDINGS:
                prepared = Preparation(True, preparation.multiple, preparation.patch, rounding)
                cases = DegradedFolder(
                    data / SETS[name], GrayGaussianNoise(), values={"sigma": sigma}, limit=limit, preparation=prepared
                )
                metrics = [create_metric("psnr"), create_metric("ssim")]
                table = score([Method("network", method)], [cases], [preset("clearer")], metrics)
                means = {
                    who: {metric.name: table.mean(cases.name, who, "clearer", metric.name) for metric in metrics}
                    for who in (INPUT, "network")
                }
                yield {
                    "sigma": sigma, "set": name, "way": way, "rounding": rounding, "pictures": len(cases),
                    "damage": cases.damage, "protocol": str(table.protocols[0]),
                    "failures": len(table.failures), "seconds": table.seconds["network"], **means,
                }  # fmt: skip


def averaged(found: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of several networks for one sigma as one, with the mean scores and each network's."""
    merged = []
    for same in zip(*found, strict=True):
        each = [row["network"] for row in same]
        mean = {metric: fmean(one[metric] for one in each) for metric in each[0]}
        merged.append({**same[0], "network": mean, "each": each, "seconds": fmean(row["seconds"] for row in same)})
    return merged


def main(words: Sequence[str] | None = None) -> None:
    """Scores and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds bsds500/test, eval/set12 and eval/bsd68")
    parser.add_argument("weights", nargs="+", metavar="SIGMA=WEIGHTS", help="safetensors of a training")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--limit", type=int, help="only the first so many pictures of each set")
    chosen = parser.parse_args(words)
    started = time.monotonic()
    files: dict[int, list[Path]] = {}
    for word in chosen.weights:
        sigma, equals, path = word.partition("=")
        if not equals or not sigma.isdecimal():
            parser.error(f"'{word}' is not of the form SIGMA=WEIGHTS, such as 30=runs/a/final.safetensors")
        files.setdefault(int(sigma), []).append(Path(path))
    scores, networks = [], {}
    with torch.inference_mode():
        for sigma, paths in sorted(files.items()):
            loaded = [load_described(path).eval() for path in paths]
            scores += averaged([list(rows(chosen.data, sigma, network, chosen.limit)) for network in loaded])
            networks[str(sigma)] = [
                {"file": path.as_posix(), "sha256": file_digest(path), "parameters": network.parameter_count}
                for path, network in zip(paths, loaded, strict=True)
            ]
    origin = provenance(
        ["python", "recipes/clearer_protocol.py", *(words or sys.argv[1:])], [0], time.monotonic() - started
    )
    write_result(chosen.output, {"provenance": origin, "networks": networks, "scores": scores})


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
