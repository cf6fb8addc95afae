r"""How networks restore blended damage in patches of several sizes, from several sets of photographs (LIRA, Table 2).

    python recipes/lira_sizes.py set5=EVAL/set5 set14=EVAL/set14 bsds500=BSDS500_VAL \
        --method LIRA=runs/lira_base/lira_seed0/final.safetensors --method LIRA=...seed1/final.safetensors \
        --method OWAN=... --method NAFNet=... -o results/lira_sizes.json

A name that is given again adds weights of another seed, `--earlier FILE` the methods of an earlier result. As in the
paper, photographs are damaged whole and then cut: patches of all sizes show the same damage. All patches of the centre
crop to multiples of a size are scored, so that nothing depends on chance. Photographs that are smaller than a size are
left out there, and counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from torch import Tensor

from unblemish.degradations.catalogue import create
from unblemish.errors import UserError
from unblemish.evaluation.cases import Case, DegradedFolder, folder_label
from unblemish.evaluation.metrics import create_metric
from unblemish.evaluation.preparation import Preparation
from unblemish.evaluation.protocol import Protocol, preset
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.evaluation.score_table import INPUT
from unblemish.evaluation.scoring import Method, score
from unblemish.networks.base import Network
from unblemish.networks.loading import load_described, sha256

METRICS = ("psnr", "ssim")


def named(words: Sequence[str]) -> dict[str, list[Path]]:
    """Paths by name, of words NAME=PATH.

    Raises:
        UserError: A word is of another form.
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (equals and name and path) or name == INPUT:
            raise UserError(f"'{word}' is not of the form NAME=PATH, or its name stands for damaged pictures; mend it")
        found.setdefault(name, []).append(Path(path))
    return found


def as_method(network: Network, name: str) -> Method:
    """A network in float32 on the CPU."""

    def restore(damaged: Tensor) -> Tensor:
        return network(damaged).clamp(0.0, 1.0)

    return Method(name, restore)


def measure(cases: DegradedFolder, networks: Mapping[str, Sequence[Network]], protocol: Protocol) -> dict[str, Any]:
    """Mean scores of a set in patches of one size: the damaged ones', and each method's over its weights.

    Raises:
        UserError: A network fails on a patch.
    """
    if not any(isinstance(case, Case) for case in cases):
        return {"patches": 0, "left_out": [case.name for case in cases], "input": {}, "scores": {}}
    labels = {name: [f"{name} {number}" for number in range(len(ones))] for name, ones in networks.items()}
    methods = [
        as_method(network, label)
        for name, ones in networks.items()
        for network, label in zip(ones, labels[name], strict=True)
    ]
    table = score(methods, [cases], [protocol], [create_metric(name) for name in METRICS])
    if failed := [one for one in table.failures if one.method != INPUT]:
        raise UserError(f"{failed[0].method}: fails on {failed[0].picture}: {failed[0].reason}")

    def mean(method: str, metric: str) -> float:
        return round(fmean(table.values(cases.name, method, protocol.name, metric).values()), 6)

    return {
        "patches": len(table.values(cases.name, INPUT, protocol.name, METRICS[0])),
        "left_out": [failure.picture for failure in table.failures],
        "input": {metric: mean(INPUT, metric) for metric in METRICS},
        "scores": {
            name: {metric: over_weights([mean(label, metric) for label in labels[name]]) for metric in METRICS}
            for name in networks
        },
    }


def over_weights(values: Sequence[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (None for one) and each, by the place of the weights on the command line."""
    spread = round(stdev(values), 6) if len(values) > 1 else None
    return {"mean": round(fmean(values), 6), "spread": spread, "each": dict(enumerate(values))}


def earlier_result(path: Path, methods: Collection[str], sets: Collection[str], sides: Sequence[int]) -> dict[str, Any]:
    """What this script wrote before.

    Raises:
        UserError: It cannot be read, lacks a set or size, or tells of the same methods.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        lacking = [f"{name} at {side}" for name in sets for side in sides if str(side) not in found["sets"][name]]
        doubled = [name for name in found["methods"] if name in methods]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: is no result of this script for the same sets; leave it out") from error
    if lacking or doubled:
        raise UserError(f"{path}: lacks {listed(lacking)}, tells of {listed(doubled)}, too; leave it out, or mend that")
    return found


def listed(names: Sequence[str]) -> str:
    """Names in a row."""
    return ", ".join(names) or "nothing"


def joined(result: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """A result with the methods of an earlier one before its own.

    Raises:
        UserError: The earlier one was not measured on the same patches.
    """
    for key in ("protocol", "damage"):
        if before[key] != result[key]:
            raise UserError(f"the {key} of the earlier result is another one ({before[key]}); leave it out")
    for name, sides in result["sets"].items():
        for side, found in sides.items():
            told = before["sets"][name][side]
            if any(told[key] != found[key] for key in ("patches", "left_out", "input")):
                raise UserError(f"the earlier result is of other patches of {name} at {side}; leave it out")
            found["scores"] = told["scores"] | found["scores"]
    return result | {
        "earlier": [*before.get("earlier", []), before["provenance"]],
        "order": result["order"] | {"methods": [*before["order"]["methods"], *result["order"]["methods"]]},
        "methods": before["methods"] | result["methods"],
    }


def main(words: Sequence[str] | None = None) -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET=FOLDER", help="clean photographs")
    parser.add_argument("--method", action="append", required=True, metavar="NAME=WEIGHTS", help="of unblemish train")
    parser.add_argument("--side", type=int, nargs="+", default=[64, 128, 256], help="of the patches in pixels")
    parser.add_argument("--with", dest="damage", default="moderate_blend", help="drawn from its published ranges")
    parser.add_argument("--protocol", default="rgb")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--limit", type=int, help="only the first so many photographs of each set")
    parser.add_argument("--earlier", type=Path, help="result whose methods come first in this one")
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(words)
    began = time.perf_counter()
    folders, weights, protocol = named(chosen.sets), named(chosen.method), preset(chosen.protocol)
    if doubled := [name for name, paths in folders.items() if len(paths) > 1]:
        raise UserError(f"several sets are called {', '.join(doubled)}; give each a name of its own")
    before = earlier_result(chosen.earlier, weights, folders, chosen.side) if chosen.earlier else None
    networks = {name: [load_described(path).eval() for path in paths] for name, paths in weights.items()}

    def cases(folder: Path, side: int) -> DegradedFolder:
        cutting = Preparation(patch=side)
        damage = create(chosen.damage)
        return DegradedFolder(folder, damage, sampled=True, seed=chosen.seed, limit=chosen.limit, preparation=cutting)

    sets = {
        name: {str(side): measure(cases(folder, side), networks, protocol) for side in chosen.side}
        for name, (folder,) in folders.items()
    }
    command = ["python", "recipes/lira_sizes.py", *(words or sys.argv[1:])]
    sources = [f"{name} {folder_label(folder)}" for name, (folder,) in folders.items()]
    result = {
        "provenance": provenance(command, [chosen.seed], time.perf_counter() - began),
        "protocol": str(protocol.on(", ".join(sources))),
        "damage": f"{create(chosen.damage).title} of whole photographs, drawn from the published ranges",
        "order": {"sets": list(folders), "sides": chosen.side, "methods": list(networks)},
        "methods": {
            name: {
                "weights": [{"path": str(path), "sha256": sha256(path)} for path in paths],
                "parameters": networks[name][0].parameter_count,
            }
            for name, paths in weights.items()
        },
        "sets": sets,
    }
    write_result(chosen.output, joined(result, before) if before else result)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
