"""Scores by size of the patches and set of photographs: Table 2 of LIRA as a block of `docs/lifelong.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from lira_growth import beside
from lira_study import NONE, cell, listed
from page_blocks import provenance_line

from unblemish.evaluation.markdown import markdown_table
from unblemish.evaluation.metrics import create_metric

METRICS = ("psnr", "ssim")


def sizes_text(results: Path) -> str:
    """The table of `lira_sizes.py`, and what its first network differs from the others by.

    Raises:
        SystemExit: There is no result.
    """
    path = results / "lira_sizes.json"
    if not path.exists():
        raise SystemExit(f"{path}: is missing; make it with the command at the top of recipes/lira_sizes.py")
    content = json.loads(path.read_text(encoding="utf-8"))
    sets, order = content["sets"], content["order"]
    headings = ["network", "pixels", *(f"{name} {create_metric(m).title}" for name in order["sets"] for m in METRICS)]
    rows = []
    for side in order["sides"]:
        for name in ("input", *order["methods"]):
            cells = [_cell(sets[one][str(side)], name, metric) for one in order["sets"] for metric in METRICS]
            rows.append([name, str(side), *cells])
    counts = [f"{one['patches']} of {name} at {side}" for name, side, one in _each(content)]
    left = [f"{len(one['left_out'])} of {name} at {side}" for name, side, one in _each(content) if one["left_out"]]
    weights = [f"{name} {len(one['weights'])}" for name, one in content["methods"].items()]
    words = (
        f"{content['protocol']}; {content['damage']}. Patches: {listed(counts)}. Photographs left out: "
        f"{listed(left) or 'none'}. Weights: {listed(weights)}; ± is the sample standard deviation over them."
    )
    origin = provenance_line(path, content["provenance"]).strip()
    return "\n" + "\n\n".join([words, markdown_table(headings, rows), *_claims(content), origin]) + "\n"


def _each(content: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for name in content["order"]["sets"]:
        for side in content["order"]["sides"]:
            yield name, side, content["sets"][name][str(side)]


def _cell(one: dict[str, Any], name: str, metric: str) -> str:
    if not one["patches"]:
        return NONE
    decimals = create_metric(metric).decimals
    if name == "input":
        return f"{one['input'][metric]:.{decimals}f}"
    return cell({int(number): value for number, value in one["scores"][name][metric]["each"].items()}, decimals)


def _claims(content: dict[str, Any]) -> list[str]:
    """What the first network differs from each other by at each size, in the mean of the sets that have patches."""
    first, *others = content["order"]["methods"]
    said = []
    for other in others:
        apart: dict[int, list[float]] = {}
        for _, side, one in _each(content):
            if one["patches"]:
                means = [one["scores"][name]["psnr"]["mean"] for name in (first, other)]
                apart.setdefault(side, []).append(means[0] - means[1])
        told = [f"{beside(fmean(values))} {other} at {side} pixels" for side, values in apart.items()]
        said.append(f"In the mean of the sets' PSNR, {first} is {listed(told)}.")
    return [" ".join(said)] if said else []
