"""Puts a trained network into the default bundle, and scores into its cards.

    python recipes/ship.py weights RUN_FOLDER --name NAME --purpose TEXT
    unblemish evaluate CLEAN_PHOTOS --with grids --with clean --sampled ... -o results/default_bundle.json
    python recipes/ship.py scores results/default_bundle.json

The first takes the best weights of a run of `unblemish train` (half precision; the evaluation that follows is of what
ships), the last writes their scores into the bundle and `docs/model_card.md`, and the tables of `docs/results.md`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from PIL import Image

from unblemish.degradations.catalogue import GRIDS_ELEVEN, create
from unblemish.evaluation.cases import CLEAN
from unblemish.evaluation.score_table import INPUT, ScoreTable
from unblemish.evaluation.tables import to_markdown
from unblemish.networks.catalogue import create as create_network
from unblemish.networks.loading import load_weights
from unblemish.restoration.bundle import Bundle, NetworkCard
from unblemish.restoration.margin import measure_margin

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "src/unblemish/assets/default_bundle"
CARD, RESULTS = ROOT / "docs/model_card.md", ROOT / "docs/results.md"
TRAINING_SET = (
    "659 photographs: BSDS500 train and test (332) and ImageNet (190), both for non-commercial research; sun-hays (80, "
    "Flickr, no licence stated); wallpaper photographs of Debian packages (57, CC-BY, CC-BY-SA, public domain)"
)
LICENCE = "Apache-2.0"


def ship_weights(run: Path, name: str, purpose: str) -> None:
    """Writes the bundle from the best weights of a training run."""
    training = yaml.safe_load((run / "training.yaml").read_text(encoding="utf-8"))
    part = training["recipe"]["network"]
    network = create_network(part["name"], part["options"]).eval()
    load_weights(network, run / "best.safetensors")
    best = max(validations(run), key=lambda line: line["gain"])
    hardware = training["provenance"]["hardware"]
    card = NetworkCard(
        name=name,
        purpose=purpose,
        architecture=part["name"],
        options=part["options"],
        licence=LICENCE,
        training_set=TRAINING_SET,
        steps=best["step"],
        hardware=hardware["gpu"] or f"{hardware['cores']} cores of {hardware['cpu']}",
        revision=(training["provenance"]["revision"] or {}).get("commit", ""),
        tile_margin=measure_margin(network, damaged_photographs()),
    )
    Bundle.write(BUNDLE, [(card, {key: value.half() for key, value in network.state_dict().items()})])


def validations(run: Path) -> list[dict[str, Any]]:
    """The validation lines of a run's journal."""
    lines = (run / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == "validation"]


def damaged_photographs() -> list[torch.Tensor]:
    """Photographs of scikit-image with each of the eleven degradations, `(3, H, W)`."""
    import numpy as np
    from skimage import data

    generator = torch.Generator().manual_seed(0)
    pictures = []
    for photograph in (data.astronaut(), data.coffee()):
        pixels = np.asarray(Image.fromarray(photograph).crop((0, 0, 400, 400)))
        clean = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255  # (1, 3, 400, 400)
        for name in GRIDS_ELEVEN:
            degradation = create(name)
            pictures.append(degradation.apply(clean, degradation.sample(1, generator), generator)[0])
    return pictures


def ship_scores(result: Path) -> None:
    """Writes the scores of an evaluation into the bundle's description, the model card and the results page."""
    content = json.loads(result.read_text(encoding="utf-8"))
    table = ScoreTable.from_dict(content["table"])
    bundle = Bundle.load(BUNDLE)
    entry = bundle.entry()
    protocol = table.protocols[0]
    scores = {
        f"{metric.name}/{info.name}": round(mean, 4)
        for metric in table.metrics
        for info in table.sets
        if (mean := table.mean(info.name, entry.name, protocol.name, metric.name)) is not None
    }
    scores["psnr_gain/average"] = round(table.average_gain(entry.name, protocol.name, "psnr") or 0.0, 4)
    card = NetworkCard(**{**entry.model_dump(exclude={"file", "sha256"}), "scores": scores, "protocol": str(protocol)})
    weights = {key: value.half() for key, value in bundle.network(entry.name).state_dict().items()}
    Bundle.write(BUNDLE, [(card, weights)])
    CARD.write_text(model_card(Bundle.load(BUNDLE), table, content["provenance"]), encoding="utf-8")
    replace_block(RESULTS, "default bundle", to_markdown(table) + provenance_line(result, content["provenance"]))


def model_card(bundle: Bundle, table: ScoreTable, provenance: dict[str, Any]) -> str:
    """The model card as Markdown."""
    entry = bundle.entry()
    protocol = table.protocols[0].name
    rows = [
        f"| {info.title} | {table.mean(info.name, INPUT, protocol, 'psnr'):.2f} | "
        f"{table.mean(info.name, entry.name, protocol, 'psnr'):.2f} | "
        + ("" if info.kind == CLEAN else f"{table.gain(info.name, entry.name, protocol, 'psnr'):+.2f}")
        + " |"
        for info in table.sets
    ]
    count = bundle.network().parameter_count
    size = (bundle.folder / entry.file).stat().st_size / 1e6
    facts = {
        "purpose": entry.purpose,
        "architecture": f"`{entry.architecture}`, {count:,} parameters, {size:.1f} MB in half precision",
        "licence of the weights": f"{entry.licence}, as far as it is ours to give; see the training set's terms",
        "training set": entry.training_set,
        "training": f"{entry.steps:,} steps on {entry.hardware}, recipe `recipes/mix_nafnet_compact.yaml`",
        "sha256": f"`{entry.sha256}`",
        "protocol": entry.protocol,
        "measured by": f"`{provenance['command']}`",
    }
    return "\n".join(
        [
            f"# Model card: {entry.name}",
            "",
            *(f"- **{key}**: {value}" for key, value in facts.items()),
            "",
            "| damage | input, dB | restored, dB | gain, dB |",
            "|---|---:|---:|---:|",
            *rows,
            f"| **average gain** | | | {table.average_gain(entry.name, protocol, 'psnr'):+.2f} |",
            "",
            "Written by `recipes/ship.py` from `results/default_bundle.json`. Not for evidence: the network invents",
            "plausible detail where the damage has removed it.",
            "",
        ]
    )


def provenance_line(result: Path, provenance: dict[str, Any]) -> str:
    """Where a table comes from."""
    hardware = provenance["hardware"]
    revision = (provenance["revision"] or {}).get("commit", "unknown")[:10]
    return (
        f"\n`{provenance['command']}` ({result.parent.name}/{result.name}), revision {revision}, seeds "
        f"{provenance['seeds']}, {provenance['seconds']:.0f} s on {hardware['cores']} cores of {hardware['cpu']}.\n"
    )


def replace_block(page: Path, name: str, text: str) -> None:
    """Replaces what stands between the markers of a block in a Markdown page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{page}: has no block between '{begin.strip()}' and '{end.strip()}'; add both lines")
    page.write_text(before + begin + text + end + after, encoding="utf-8")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    weights = steps.add_parser("weights")
    weights.add_argument("run", type=Path)
    weights.add_argument("--name", required=True)
    weights.add_argument("--purpose", required=True)
    scores = steps.add_parser("scores")
    scores.add_argument("result", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "weights":
        ship_weights(arguments.run, arguments.name, arguments.purpose)
    else:
        ship_scores(arguments.result)


if __name__ == "__main__":
    main()
