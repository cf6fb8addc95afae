r"""Writes what was measured of contrastive losses into `docs/contrast.md`: gains, cost, gradients, tables of studies.

    unblemish bench contrast recipes/edsr_light.yaml data.folder=PHOTOS data.patch=96 batch=4 \
        -o results/bench_contrast.json
    python recipes/contrast_gradients.py runs/super_resolution/spn_seed0 ... -o results/contrast_gradients.json
    python recipes/contrast_page.py

Studies are all `results/contrast_NAME.json`, which the commands in the headers of `recipes/studies/NAME.yaml` write.
Each gets its table; where there is a picture `docs/images/contrast_NAME.png` of its curves, or a contact sheet
`docs/images/contrast_NAME_sheet.jpg`, that is shown too.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from page_blocks import provenance_line, replace_block

from unblemish.commands.bench_tables import contrast_table
from unblemish.contrast.cost import Cost
from unblemish.evaluation.markdown import markdown_table
from unblemish.evaluation.metrics import create_metric

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS, IMAGES, STUDIES = (
    ROOT / name for name in ("docs/contrast.md", "results", "docs/images", "recipes/studies")
)
PREFIX = "contrast_"
SPN = "spn_often"
"""The arm whose negatives are updated in proportion to the length of the training."""

_UNEQUAL = r"\*"


def cost_text(result: Path) -> str:
    """The table of `unblemish bench contrast`, with what was compared."""
    content = json.loads(result.read_text(encoding="utf-8"))
    fields = Cost.__dataclass_fields__
    costs = {name: Cost(**{key: row[key] for key in fields}) for name, row in content["methods"].items()}
    embeddings = {name: row["embedding"]["network"] for name, row in content["methods"].items()}
    recipe, side = content["recipe"], content["recipe"]["data"]["patch"]
    words = [
        f"One step of `{recipe['network']['name']}`, {recipe['batch']} patches of {side} pixels, with the features of "
        f"{', '.join(f'{embedding} for {name}' for name, embedding in embeddings.items())}.",
        contrast_table(costs),
    ]
    return "\n\n".join(words) + "\n" + provenance_line(result, content["provenance"])


def study_text(result: Path) -> str:
    """A heading, what was asked, scores and paired differences in one table, and pictures if there are any."""
    content = json.loads(result.read_text(encoding="utf-8"))
    name = result.stem.removeprefix(PREFIX)
    study, arms = content["study"], content["arms"]
    reference = arms[study["reference"]]
    keys = [key for key in reference["scores"] if _is_headline(key, reference["scores"])]
    photos = next(iter(reference["runs"].values()))["facts"]["pictures"]
    budget, begin = reference["budget"], reference["recipe"]["network"]
    started = ", started from trained weights" if begin["start"] else ""
    sides = f"{budget['batch']} patches of {budget['data.patch']} pixels"
    parts = [
        f"### {study['purpose'][0].upper()}{study['purpose'][1:]}",
        f"`recipes/studies/{name}.yaml`: `{begin['name']}`{started}, {budget['steps']} steps of {sides} from {photos} "
        f"photographs, seeds {_seeds(reference)}. Mean over the seeds; in brackets the difference to "
        f"{study['reference']} ± its standard deviation. {_features(arms)}",
        _table(content, keys),
    ]
    others = [key for arm in arms.values() if not arm["equal_budget"] for key in arm["budget"].items()]
    if unequal := [f"{name} {value}" for name, value in others if value != budget[name]]:
        parts.append(f"{_UNEQUAL} Of another budget: {', '.join(unequal)}.")
    for suffix, title in ((".png", "validation curves"), ("_sheet.jpg", "contact sheet")):
        if (IMAGES / f"{result.stem}{suffix}").exists():
            parts.append(f"![{name}, {title}](images/{result.stem}{suffix})")
    if content["missing"]:
        parts.append(f"Not trained: {', '.join(content['missing'])}.")
    return "\n\n".join(parts) + "\n" + provenance_line(result, content["provenance"])


def gains_text(results: list[Path]) -> str:
    """What contrastive losses gain in PSNR over plain training, one row a set."""
    rows = []
    for result in results:
        content = json.loads(result.read_text(encoding="utf-8"))
        arms, reference = content["arms"], content["arms"][content["study"]["reference"]]
        if SPN not in arms:
            continue
        name = result.stem.removeprefix(PREFIX)
        for key in reference["scores"]:
            if key.endswith("/psnr") and _is_headline(key, reference["scores"]):
                gains = [_difference(arms.get(arm), key, 2) or "–" for arm in (SPN, "cr", "ccr")]
                budget = f"{reference['budget']['steps']:,}"
                network = reference["recipe"]["network"]["name"]
                rows.append([f"`{name}`", network, budget, key.split("/")[0], *gains])
    return markdown_table(("study", "network", "steps", "scored on", "SPN, dB", "CR, dB", "CCR, dB"), rows)


def gradient_text(result: Path) -> str:
    """Where the terms of some runs pull at the end of their training."""
    content = json.loads(result.read_text(encoding="utf-8"))
    rows = [
        [name, *(f"{run[key]:.2g}" for key in ("push", "weight_push", "alignment", "weight_alignment"))]
        for name, run in content["runs"].items()
    ]
    headings = ("run", "push at the picture", "push at the weights", "alignment at the picture", "at the weights")
    return markdown_table(headings, rows) + "\n" + provenance_line(result, content["provenance"])


def _seeds(arm: dict[str, Any]) -> str:
    """The seeds that an arm was trained with."""
    return ", ".join(sorted(arm["runs"], key=int))


def _difference(arm: dict[str, Any] | None, key: str, decimals: int) -> str | None:
    """What an arm differs from the reference, ± its standard deviation where there are several seeds."""
    difference = arm["differences"][key] if arm else None
    if difference is None:
        return None
    spread = "" if difference["spread"] is None else f" ± {difference['spread']:.{decimals}f}"
    return f"{difference['mean']:+.{decimals}f}{spread}"


def _features(arms: dict[str, Any]) -> str:
    """Whose features the arms compare pictures by."""
    used: dict[str, list[str]] = {}
    for name, arm in arms.items():
        for run in arm["runs"].values():
            if contrast := run["facts"].get("contrast"):
                names = used.setdefault(contrast["embedding"]["network"], [])
                names += [name] * (name not in names)
    return "Features: " + "; ".join(f"{network} ({', '.join(names)})" for network, names in used.items()) + "."


def _is_headline(key: str, keys: dict[str, Any]) -> bool:
    """Whether a score is the average over a set's damages, or of the only one."""
    name, damage, _, _ = key.split("/")
    damages = {other.split("/")[1] for other in keys if other.split("/")[0] == name}
    return len(damages) == 1 or damage == "average"


def _table(content: dict[str, Any], keys: list[str]) -> str:
    headings = ["arm", "s a step"]
    for key in keys:
        name, _, protocol, metric = key.split("/")
        headings.append(f"{name} {create_metric(metric).title} ({protocol})")
    reference = content["arms"][content["study"]["reference"]]
    rows = [["input", "", *(f"{content['input'][key]:.{_decimals(key)}f}" for key in keys)]]
    for name in content["order"]:
        arm = content["arms"][name]
        cells = [_cell(arm, key, name == content["study"]["reference"]) for key in keys]
        mark = "" if arm["equal_budget"] else f" {_UNEQUAL}"
        seeds = "" if _seeds(arm) == _seeds(reference) else f" (seeds {_seeds(arm)})"
        pace = fmean(run["seconds_a_step"] for run in arm["runs"].values())
        rows.append([f"{name}{mark}{seeds}", f"{pace:.2f}", *cells])
    return markdown_table(headings, rows)


def _cell(arm: dict[str, Any], key: str, is_reference: bool) -> str:
    score = arm["scores"][key]
    if score is None:
        return "–"
    decimals = _decimals(key)
    difference = None if is_reference else _difference(arm, key, decimals + 1)
    return f"{score['mean']:.{decimals}f}" + (f" ({difference})" if difference else "")


def _decimals(key: str) -> int:
    return create_metric(key.rpartition("/")[2]).decimals


def main() -> None:
    """Writes the blocks of the page."""
    replace_block(PAGE, "cost", cost_text(RESULTS / "bench_contrast.json"))
    replace_block(PAGE, "gradients", gradient_text(RESULTS / "contrast_gradients.json"))
    order = [path.stem for path in sorted(STUDIES.glob("*.yaml"))]
    found = [path for name in order if (path := RESULTS / f"{PREFIX}{name}.json").exists()]
    replace_block(PAGE, "gains", gains_text(found) + "\n")
    replace_block(PAGE, "studies", "\n".join(map(study_text, found)))


if __name__ == "__main__":
    main()
