"""Puts a trained network into the default bundle, and scores into its cards.

    python recipes/ship.py weights RUN_FOLDER --name NAME --purpose TEXT
    unblemish evaluate CLEAN_PHOTOS --with grids --with clean --sampled ... -o results/default_bundle.json
    python recipes/ship.py scores results/default_bundle.json
    python recipes/ship.py table results/classical.json "classical tools"
    python recipes/ship.py pictures

The first takes the best weights of a run of `unblemish train`, in half precision, and keeps the run's record in
`results/default_bundle_training.json`. The evaluation is of what ships. The third writes its scores into the bundle,
`docs/model_card.md`, `docs/results.md` and the README; the fourth writes another table into `docs/results.md`; the
last draws the README's picture and the contact sheets of `docs/results.md`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from unblemish.commands.evaluate import as_method, case_sets
from unblemish.degradations.catalogue import GRIDS_ELEVEN, create
from unblemish.evaluation.cases import CLEAN
from unblemish.evaluation.contact_sheets import contact_sheet, save_sheet, sheet_rows
from unblemish.evaluation.provenance import write_result
from unblemish.evaluation.score_table import INPUT, ScoreTable
from unblemish.evaluation.tables import to_markdown
from unblemish.networks.catalogue import create as create_network
from unblemish.networks.loading import load_weights
from unblemish.pictures.reading import read
from unblemish.restoration.bundle import Bundle, NetworkCard
from unblemish.restoration.margin import measure_margin
from unblemish.restoration.restorer import Restorer

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "src/unblemish/assets/default_bundle"
CARD, RESULTS, README = ROOT / "docs/model_card.md", ROOT / "docs/results.md", ROOT / "README.md"
TRAINING = ROOT / "results/default_bundle_training.json"
PICTURE = ROOT / "docs/images/before_after.jpg"
TRAINING_SET = (
    "659 photographs: BSDS500 train and test (332) and ImageNet (190), both for non-commercial research; sun-hays (80, "
    "Flickr, no licence stated); wallpaper photographs of Debian packages (57, CC-BY, CC-BY-SA, public domain)"
)
LICENCE = "Apache-2.0"
SIDE, GAP = 240, 6
"""Of the squares in the README's picture and on contact sheets, pixels."""
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")


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
    write_result(TRAINING, without_places({**training, "validations": validations(run)}))


def without_places(record: dict[str, Any]) -> dict[str, Any]:
    """A run's record with the folder of its photographs by its last two names: where it lies is nobody's business."""
    folder = Path(record["recipe"]["data"]["folder"])
    label = "/".join(folder.parts[-2:])
    return json.loads(json.dumps(record).replace(json.dumps(str(folder))[1:-1], label))


def validations(run: Path) -> list[dict[str, Any]]:
    """The validation lines of a run's journal."""
    lines = (run / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == "validation"]


def damaged_photographs() -> list[torch.Tensor]:
    """Photographs of scikit-image with each of the eleven degradations, `(3, H, W)`."""
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
    ship_table(result, "default bundle")
    replace_block(README, "summary", summary(table, entry.name))


def ship_table(result: Path, block: str) -> None:
    """Writes the tables of an evaluation into a block of the results page."""
    content = json.loads(result.read_text(encoding="utf-8"))
    tables = to_markdown(ScoreTable.from_dict(content["table"]))
    replace_block(RESULTS, block, tables + provenance_line(result, content["provenance"]))


def summary(table: ScoreTable, name: str) -> str:
    """One sentence for the README."""
    protocol = table.protocols[0].name
    damaged = [info for info in table.sets if info.kind != CLEAN]
    gains = {info.title: table.gain(info.name, name, protocol, "psnr") or 0.0 for info in damaged}
    least, most = min(gains, key=gains.__getitem__), max(gains, key=gains.__getitem__)
    clean = table.mean(CLEAN, name, protocol, "psnr")
    gain = table.average_gain(name, protocol, "psnr")
    return (
        f"On the {damaged[0].pictures} photographs of {damaged[0].source}, none of which was trained on, the network\n"
        f"gains {gain:+.2f} dB over the damaged input on average over {len(damaged)} degradations (RGB PSNR), from\n"
        f"{gains[least]:+.2f} dB ({least}) to {gains[most]:+.2f} dB ({most}). "
        f"A clean photograph is left alone to {clean:.1f} dB.\n"
    )


def ship_pictures() -> None:
    """Restores the examples with the default bundle and puts them below their damaged originals."""
    restorer = Restorer(Bundle.load(BUNDLE))
    paths = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in (".jpg", ".png"))
    sheet = Image.new("RGB", (len(paths) * (SIDE + GAP) - GAP, 2 * SIDE + GAP), "white")
    for column, path in enumerate(paths):
        picture = read(path)
        for row, shown in enumerate((picture, restorer.restore(picture))):
            middle = Image.fromarray(np.squeeze(shown.pixels)).convert("RGB")
            left, top = (middle.width - SIDE) // 2, (middle.height - SIDE) // 2
            middle = middle.crop((left, top, left + SIDE, top + SIDE))
            sheet.paste(middle, (column * (SIDE + GAP), row * (SIDE + GAP)))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(PICTURE, quality=92, subsampling=0)
    for photograph in PHOTOGRAPHS:
        draw_sheet(photograph, restorer)


def draw_sheet(photograph: str, restorer: Restorer) -> None:
    """A contact sheet of one of scikit-image's photographs: clean, damaged at the default values, restored."""
    from skimage import data

    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(getattr(data, photograph)()).save(Path(folder) / f"{photograph}.png")
        sets = case_sets(Path(folder), ["grids", CLEAN], sampled=False, seed=0, limit=1)
        rows = sheet_rows(sets, [as_method(restorer)], SIDE)
    sheet = contact_sheet(["clean", "damaged", restorer.name], rows, SIDE)
    save_sheet(sheet, PICTURE.with_name(f"sheet_{photograph}.jpg"))


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
        "training": f"{entry.steps:,} steps on {entry.hardware}, recipe `recipes/mix_nafnet_compact.yaml`; "
        f"record with every change of settings: `results/{TRAINING.name}`",
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
    table = steps.add_parser("table")
    table.add_argument("result", type=Path)
    table.add_argument("block", help="the block of docs/results.md that it replaces")
    steps.add_parser("pictures")
    arguments = parser.parse_args()
    if arguments.step == "weights":
        ship_weights(arguments.run, arguments.name, arguments.purpose)
    elif arguments.step == "scores":
        ship_scores(arguments.result)
    elif arguments.step == "table":
        ship_table(arguments.result, arguments.block)
    else:
        ship_pictures()


if __name__ == "__main__":
    main()
