"""A searched network against the one that ships, at equal latency, as a block of `docs/search.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from page_blocks import provenance_line

from unblemish.evaluation.markdown import markdown_table

RESULT = "equal_latency"
"""Stem of the file that says which width was chosen; those of the groups add the group's name."""

GROUPS = ("blur", "resolution", "coding", "noise")


def equal_latency_text(results: Path) -> str:
    """The width and its time, a table of all groups that were trained, their contact sheets and origins.

    Args:
        results: Folder that holds `equal_latency.json` and `equal_latency_GROUP.json`.
    """
    width = results / f"{RESULT}.json"
    found = {group: path for group in GROUPS if (path := results / f"{RESULT}_{group}.json").exists()}
    studies = {group: _load(path) for group, path in found.items()}
    rows = [row for group, study in studies.items() for row in _rows(group, study)]
    headings = ("group", "damage", "input", "NAFNet", "searched", "searched - NAFNet, PSNR in dB")
    parts = [_times(width), markdown_table(headings, rows)]
    for group, study in studies.items():
        parts += [f"![{group}](images/{RESULT}_{group}.jpg)", provenance_line(found[group], study["provenance"])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _times(path: Path) -> str:
    content = _load(path)
    against = content["against"]
    chosen = next(row for row in content["candidates"] if row["width"] == content["chosen"])
    return (
        f"`{content['architecture']}` in width {chosen['width']}, {chosen['parameters'] / 1e6:.2f} M parameters, "
        f"restores a square of {content['side']} pixels in {chosen['seconds']:.2f} s; {against['network']}, "
        f"{against['parameters'] / 1e6:.2f} M, in {against['seconds']:.2f} s.\n\n"
        f"{provenance_line(path, content['provenance'])}"
    )


def _rows(group: str, study: dict[str, Any]) -> list[list[str]]:
    """Of one group: its mean validation gain, then PSNR/SSIM of each damage."""
    arms = {arm: study["arms"][arm] for arm in ("nafnet", "searched")}
    gains = {arm: [run["curve"][-1][1] for run in one["runs"].values()] for arm, one in arms.items()}
    means = {arm: sum(each) / len(each) for arm, each in gains.items()}
    rows = [
        [
            group, "gain in validation, dB", "", *(f"{means[arm]:+.2f}" for arm in arms),
            f"{means['searched'] - means['nafnet']:+.2f}",
        ]
    ]  # fmt: skip
    for psnr in (key for key in arms["nafnet"]["scores"] if key.endswith("/psnr")):
        ssim = psnr.removesuffix("psnr") + "ssim"
        name, damage, *_ = psnr.split("/")
        pairs = [(one["scores"][psnr]["mean"], one["scores"][ssim]["mean"]) for one in arms.values()]
        cells = [f"{p:.2f}/{s:.4f}" for p, s in [(study["input"][psnr], study["input"][ssim]), *pairs]]
        rows.append([group, f"{name}, {damage}", *cells, f"{pairs[1][0] - pairs[0][0]:+.2f}"])
    return rows


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
