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
    "bundle_nafnet": "at the bundle's time: NAFNet",
    "bundle_golf": "at the bundle's time: a small F, then a small G",
    "bundle_golf_nafnet": "at the bundle's time: a smaller NAFNet, then a small G",
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


def known_kernel_text(results: Path) -> str:
    """PSNR, SSIM and seconds of each method that is told the kernel."""
    result = results / "deconvolution.json"
    content = load(result)
    rows = []
    for name, one in sorted(content["methods"].items(), key=lambda item: item[1]["psnr"]):
        settings = one.get("tuning", {}).get("chosen", {})
        told = ", ".join(f"{key} {value:g}" for key, value in settings.items())
        seconds = f"{one['seconds']:.2f}" if "seconds" in one else ""
        rows.append([name, told, f"{one['psnr']:.2f}", f"{one['ssim']:.4f}", seconds])
    headings = ("method", "settings, tuned on other pictures", "PSNR, dB", "SSIM", "s a picture")
    words = (
        f"{content['set']}, {content['blur'].replace('_', ' ')} and noise of {content['sigma']:g} of 255; settings by "
        f"mean PSNR on {content['tuning_set']}."
    )
    origin = provenance_line(result, content["provenance"]).strip()
    sheet = "![Sharp, blurred, restored by each method](images/deconvolution.jpg)"
    control = (
        "On the pictures that settings were tuned on, with the best weight, and next to without any: "
        f"{'; '.join(_without_prior(content['methods']))}."
    )
    return "\n\n".join(["", words, markdown_table(headings, rows), control, sheet, origin]) + "\n"


def _without_prior(methods: dict[str, Any]) -> list[str]:
    """Of each learned prior: what its best weight reaches, and what the least one does, which is next to no prior."""
    found = []
    for name, one in methods.items():
        if name.startswith("prior "):
            grid = one["tuning"]["grid"]
            least = min(row["weight"] for row in grid)
            without = max(row["psnr"] for row in grid if row["weight"] == least)
            best = max(row["psnr"] for row in grid)
            found.append(f"{name} {best:.2f} and {without:.2f} dB")
    return found


PRIORS = {
    "none": "no step",
    "plane": "the step (1, 1) everywhere",
    "softmax": "classifier: probability of blurry",
    "logit": "classifier: logit of blurry",
    "logit_difference": "classifier: difference of logits",
    "learned": "learned gradient, blurry pictures",
    "learned_square": "learned gradient, all pictures",
    "analytic": "exact",
}
"""Priors of the toy in words."""


def two_pixels_text(results: Path) -> str:
    """The error that each prior's step leaves, over all seeds."""
    result = results / "golf_toy.json"
    content = load(result)
    found = content["summary"]["priors"]
    rows = [
        [title, *(f"{found[name]['total'][key]:.2g}" for key in ("median", "lowest", "highest")),
         f"{found[name]['best_total']['median']:.2g}"]
        for name, title in PRIORS.items()
    ]  # fmt: skip
    headings = ("prior", "error: median", "lowest", "highest", "with the best factor")
    accuracy = content["summary"]["accuracy"]["median"]
    words = f"The classifier is right for {accuracy:.1%} of pictures (median of {len(content['runs'])} seeds)."
    origin = provenance_line(result, content["provenance"]).strip()
    picture = "![Priors of two pixels, and their steps](images/golf_toy.png)"
    return "\n\n".join(["", words, markdown_table(headings, rows), picture, origin]) + "\n"


def forgetting_text(results: Path) -> str:
    """What each order of the two tasks leaves of either."""
    result = results / "golf_forgetting.json"
    content = load(result)
    rows = []
    for name, order in content["orders"].items():
        ends = [order["mean"][end] for end in ("after_first", "after_last")]
        rows.append([name, *(f"{end['sharp']:.1f} / {end['blurry']:+.2f}" for end in ends)])
    headings = ("order", "after its first task: sharp, dB / gain on blurry, dB", "at the end")
    picture = "![Both tasks over the steps of each order](images/golf_forgetting.png)"
    # The command itself only gathers what it finds finished.
    origin = provenance_line(result, {**content["provenance"], "seconds": content["training_seconds"]}).strip()
    return "\n\n".join(["", markdown_table(headings, rows), picture, origin]) + "\n"


def balance_text(results: Path) -> str:
    """What each weight of the perceptual loss gives."""
    result = results / "golf_balance.json"
    study = load(result)
    keys = [key for key in study["input"] if "/average/" in key]
    rows = [["input", "", *(f"{study['input'][key]:.4f}" for key in keys)]]
    for arm, one in study["arms"].items():
        changes = study["study"]["arms"][arm]
        weight = "0" if "perceptual" in changes else f"{changes.get('perceptual.weight', 8e-5):g}"
        rows.append([arm.replace("_", " "), weight, *(f"{one['scores'][key]['mean']:.4f}" for key in keys)])
    headings = ("arm", "lambda", *(key.rpartition("/")[2].upper() for key in keys))
    sheet = "![One picture of each damage by every arm](images/golf_balance.jpg)"
    origin = provenance_line(result, study["provenance"]).strip()
    return "\n\n".join(["", markdown_table(headings, rows), sheet, origin]) + "\n"


def load(path: Path) -> Any:
    """The content of a result."""
    return json.loads(path.read_text(encoding="utf-8"))


def _pair(values: dict[str, float], psnr: str) -> str:
    return f"{values[psnr]:.2f}/{values[psnr.removesuffix('psnr') + 'ssim']:.4f}"


BLOCKS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "study": ("golf_study", study_text),
    "iterations": ("golf_iterations", iterations_text),
    "known kernel": ("deconvolution", known_kernel_text),
    "two pixels": ("golf_toy", two_pixels_text),
    "forgetting": ("golf_forgetting", forgetting_text),
    "balance": ("golf_balance", balance_text),
}
"""Each block with the result that it needs and what writes it."""


def main() -> None:
    """Writes every block whose result is there."""
    for name, (result, text) in BLOCKS.items():
        if (RESULTS / f"{result}.json").exists():
            replace_block(PAGE, name, text(RESULTS))


if __name__ == "__main__":
    main()
