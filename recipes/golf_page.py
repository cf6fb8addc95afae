"""Writes what was measured of the Golf Optimizer into the blocks of `docs/deconvolution.md`.

    python recipes/golf_page.py

Results are those of `recipes/studies/golf.yaml` and `golf_balance.yaml` and of `recipes/golf_iterations.py`,
`golf_toy.py`, `golf_forgetting.py`, `golf_loss_scale.py` and `deconvolution_comparison.py`, whose headers have the
commands. What has no result yet keeps the text that it had.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page_blocks import provenance_line, replace_block

from unblemish.degradations.catalogue import create
from unblemish.evaluation.markdown import markdown_table

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS = ROOT / "docs/deconvolution.md", ROOT / "results"

ARMS = {
    "first": "F alone, 3,000 steps",
    "golf": "F 2,000 steps, then G 1,000",
    "nafnet_parameters": "NAFNet of equal size",
    "nafnet_time": "NAFNet of equal time",
}
"""Arms of the study in words."""


def study_text(results: Path) -> str:
    """PSNR and SSIM of each damage: input, arms of the study, and the networks that ship."""
    result = results / "golf_study.json"
    study = load(result)
    scores = {arm: study["arms"][arm]["scores"] for arm in ARMS if study["arms"].get(arm, {}).get("scores")}
    keys = [key for key in next(iter(scores.values())) if key.endswith("/psnr") and "/average/" not in key]
    rows = [["input", "", *(_pair(study["input"], key) for key in keys)]]
    for arm, found in scores.items():
        parameters = next(iter(study["arms"][arm]["runs"].values()))["parameters"]
        means = {key: value["mean"] for key, value in found.items()}
        rows.append([ARMS[arm], f"{parameters:,}", *(_pair(means, key) for key in keys)])
    shipped = results / "golf_shipped.json"
    parts = [provenance_line(result, study["provenance"])]
    if shipped.exists():
        content = load(shipped)
        table = {(s["case_set"], s["method"], s["metric"]): s["mean"] for s in content["table"]["scores"]}
        for method in content["table"]["methods"]:
            cells = [
                f"{table[key.split('/')[1], method, 'psnr']:.2f}/{table[key.split('/')[1], method, 'ssim']:.4f}"
                for key in keys
            ]
            rows.append([f"shipped `{method}`", "", *cells])
        parts.append(provenance_line(shipped, content["provenance"]))
    titles = [create(key.split("/")[1]).title for key in keys]
    headings = ("PSNR in dB / SSIM", "parameters", *titles)
    return "\n\n".join(["", markdown_table(headings, rows), *(part.strip() for part in parts)]) + "\n"


def iterations_text(results: Path) -> str:
    """PSNR after each correction, seconds and size."""
    result = results / "golf_iterations.json"
    content = load(result)
    titles = {name: create(name).title for name in content["damage"]}
    count = len(content["seconds"])
    rows = [["input", *(f"{one['input'][0]:.2f}/{one['input'][1]:.4f}" for one in content["damage"].values()), "", ""]]
    for number in range(count):
        cells = ["{:.2f}/{:.4f}".format(*one["estimates"][number]) for one in content["damage"].values()]
        updates = [one["updates"][number - 1] for one in content["damage"].values()] if number else []
        rows.append(
            [
                "F alone" if number == 0 else f"{number}", *cells, " ".join(f"{value:.4f}" for value in updates),
                f"{1000 * content['seconds'][number]:.0f}",
            ]
        )  # fmt: skip
    headings = ("iterations", *titles.values(), "relative updates", f"ms, {content['side']} x {content['side']}")
    sizes = ", ".join(f"{name} {value:.2f} MB" for name, value in content["megabytes"].items())
    words = f"Sizes in float32: {sizes}. Seconds on {content['threads']} threads of the CPU."
    picture = "![PSNR and relative update of each iteration](images/golf_iterations.png)"
    origin = provenance_line(result, content["provenance"]).strip()
    return "\n\n".join(["", markdown_table(headings, rows), words, picture, origin]) + "\n"


def load(path: Path) -> Any:
    """The content of a result."""
    return json.loads(path.read_text(encoding="utf-8"))


def _pair(values: dict[str, float], psnr: str) -> str:
    return f"{values[psnr]:.2f}/{values[psnr.removesuffix('psnr') + 'ssim']:.4f}"


BLOCKS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "study": ("golf_study", study_text),
    "iterations": ("golf_iterations", iterations_text),
}
"""Each block with the result that it needs and what writes it."""


def main() -> None:
    """Writes every block whose result is there."""
    for name, (result, text) in BLOCKS.items():
        if (RESULTS / f"{result}.json").exists():
            replace_block(PAGE, name, text(RESULTS))


if __name__ == "__main__":
    main()
