r"""Writes what was measured into the documents: tables, the model card, the README's sentence and its pictures.

    unblemish evaluate CLEAN_PHOTOS --with grids --with clean --sampled --network auto --network compact \\
        --metric psnr -o results/default_bundle.json
    python recipes/pages.py scores results/default_bundle.json
    unblemish bundle measure CLEAN_PHOTOS -o results/examination.json
    python recipes/pages.py examination results/examination.json results/examination_rules.json
    unblemish group similarity PHOTOS -o results/similarity.json --plot docs/images/similarity.png
    python recipes/pages.py similarity results/similarity.json
    python recipes/pages.py groups nafnet results/groups_nafnet.json --search results/grouping_nafnet.json
    python recipes/pages.py local results/local_damage.json
    python recipes/pages.py table results/classical.json "classical tools"
    python recipes/pages.py table results/blends.json "blended damage"
    python recipes/pages.py table results/haze_and_darkness.json "haze and darkness"
    python recipes/pages.py growths results/training_haze.json results/training_darkness.json
    python recipes/pages.py overviews results/overview_sizes.json
    python recipes/pages.py pictures

`scores` writes the model card, the first table of `docs/results.md` and the README's sentence; `examination` the
confusion matrix and the figures of `docs/examination.md`, `local` its table of local damage; `similarity` what
`docs/grouping.md` says of the descriptor, `groups` what it says of a real search; `table` another table into
`docs/results.md`; `growths` what `unblemish grow` has taught the default bundle, into `docs/growing.md`, `overviews`
what tones from a small copy bring; `pictures` the README's picture and the contact sheets of `docs/results.md`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from page_blocks import provenance_line, replace_block
from PIL import Image

from unblemish.commands.evaluate import as_method, case_sets
from unblemish.evaluation.cases import CLEAN
from unblemish.evaluation.contact_sheets import contact_sheet, save_sheet, sheet_rows
from unblemish.evaluation.markdown import markdown_table
from unblemish.evaluation.score_table import INPUT, ScoreTable
from unblemish.evaluation.tables import to_markdown
from unblemish.grouping.comparison import ROWS
from unblemish.pictures.reading import read
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import KnowledgeEntry, NetworkEntry
from unblemish.restoration.restorer import Restorer

ROOT = Path(__file__).resolve().parents[1]
CARD, RESULTS, README = ROOT / "docs/model_card.md", ROOT / "docs/results.md", ROOT / "README.md"
GROUPING = ROOT / "docs/grouping.md"
EXAMINATION = ROOT / "docs/examination.md"
GROWING = ROOT / "docs/growing.md"
PICTURE = ROOT / "docs/images/before_after.jpg"
SIDE, GAP = 240, 6
"""Of the squares in the README's picture and on contact sheets, pixels."""
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")


def write_scores(result: Path) -> None:
    """The model card, the first table of the results page and the README's sentence."""
    content = json.loads(result.read_text(encoding="utf-8"))
    table = ScoreTable.from_dict(content["table"])
    CARD.write_text(model_card(Bundle.load(), table, content["provenance"]), encoding="utf-8")
    write_table(result, "default bundle")
    replace_block(README, "summary", summary(table, next(name for name in table.methods if name != INPUT)))


def write_table(result: Path, block: str) -> None:
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
    gain = table.average_gain(name, protocol, "psnr")
    return (
        f"On the {damaged[0].pictures} photographs of {damaged[0].source}, none of which was trained on, unblemish\n"
        f"gains {gain:+.2f} dB over the damaged input on average over {len(damaged)} degradations (RGB PSNR), from\n"
        f"{gains[least]:+.2f} dB ({least}) to {gains[most]:+.2f} dB ({most}).\n"
    )


def write_examination(trial: Path, rules: Path) -> None:
    """The figures and the confusion matrix of the bundle, and the comparison of rules."""
    content, compared = (json.loads(path.read_text(encoding="utf-8")) for path in (trial, rules))
    figures = [f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in content["trial"]["figures"].items()]
    text = "\n".join(
        ["| figure | value |", "| --- | ---: |", *figures, "", *_matrix(content["trial"]["confusion"]["statistics"])]
    )
    replace_block(EXAMINATION, "figures", text + "\n" + provenance_line(trial, content["provenance"]))
    columns = ("known_right_group", "clean_called_clean", "unknown_noticed", "unknown_treated")
    rows = [
        f"| {name} | " + " | ".join(f"{row[column]:.1%}" for column in columns) + " |"
        for name, row in compared["rules"].items()
        if columns[0] in row
    ]
    lines = ["| rule | " + " | ".join(column.replace("_", " ") for column in columns) + " |", "| --- |" + " ---: |" * 4]
    alone = [
        f"- {name}: " + ", ".join(f"{count} {found}" for found, count in counts.items() if count)
        for name, row in compared["rules"].items()
        if columns[0] not in row
        for counts in row["confusion"].values()
    ]
    text = "\n".join([*lines, *rows, "", *alone])
    replace_block(EXAMINATION, "rules", text + "\n" + provenance_line(rules, compared["provenance"]))


def write_similarity(result: Path) -> None:
    """The paper's statements held against the similarity matrix, and what it took."""
    content = json.loads(result.read_text(encoding="utf-8"))
    found = [
        f"- {'agrees' if finding['agrees'] else '**differs**'}: {finding['statement']} {finding['numbers']}"
        for finding in content["paper"]
    ]
    seconds = [signature["seconds"] for signature in content["signatures"]]
    protocol = content["protocol"]
    taken = (
        f"{protocol['patches']} patches, {protocol['components']} components; a signature takes "
        f"{np.median(seconds):.1f} s (median; {min(seconds):.1f} to {max(seconds):.1f} s)."
    )
    text = "\n".join(["Held against the paper:", "", *found, "", taken]) + "\n"
    replace_block(GROUPING, "similarity", text + provenance_line(result, content["provenance"]))


def write_groups(name: str, scored: Path, search: Path | None) -> None:
    """What a search found and cost, and its networks on other photographs, in the tables of GRIDS."""
    content = json.loads(scored.read_text(encoding="utf-8"))
    text, origin = f"{content['budget']} steps each.", provenance_line(scored, content["provenance"])
    if search:
        found = json.loads(search.read_text(encoding="utf-8"))
        cost = found["trainings"]
        text += (
            f" Threshold {found['search']['threshold']:g} dB on held-out training photographs: "
            f"{len(found['table']['partition'])} groups after {cost['search']} trainings. Every group would take "
            f"{cost['exhaustive']}, all pairs and the groups that TAG's network selection chooses {cost['tag']}."
        )
        origin = provenance_line(search, found["provenance"]) + origin
    lines = [text, ""]
    for part, title in (("found", "The groups that the search found"), ("paper", "The paper's groups")):
        if part in content["parts"]:
            lines += [f"{title}:", "", *_comparison(content["parts"][part]), ""]
    lines += [f"{content['parts']['paper']['protocol']}.", ""]
    if rows := content.get("experiments"):
        lines += [*_experiments(rows, content["correlations"]), ""]
    replace_block(GROUPING, f"groups {name}", "\n".join(lines) + origin)


def _comparison(part: dict[str, Any]) -> list[str]:
    """Table 1 of GRIDS, degradations down, so that it fits a page."""
    lines = ["| group | PSNR, dB | " + " | ".join(ROWS) + " |", "| ---: | --- |" + " ---: |" * len(ROWS)]
    members = [(str(number), kind) for number, group in enumerate(part["partition"], 1) for kind in group]
    for number, kind in [*members, ("", "average")]:
        values = (f"{part['rows'][row][kind]:{'+' if row.startswith('difference') else ''}.2f}" for row in ROWS)
        lines.append(f"| {number} | {kind.replace('_', ' ')} | " + " | ".join(values) + " |")
    return lines


def _experiments(rows: list[dict[str, Any]], correlations: dict[str, float]) -> list[str]:
    """Table 2 of GRIDS: what groups of higher and of lower similarity lose."""
    names = list(correlations)
    lines = [
        "| what | group | "
        + " | ".join(f"distance, {name}" for name in names)
        + " | largest drop, dB | mean drop, dB |",
        "| --- | --- |" + " ---: |" * (len(names) + 2),
    ]
    for row in rows:
        group = ", ".join(row["group"]).replace("_", " ")
        cells = [f"{row['distance'][name]:.2f}" for name in names]
        cells += [f"{row['largest_drop']:.2f}", f"{row['mean_drop']:.2f}"]
        lines.append(f"| {row['title']} | {group} | " + " | ".join(cells) + " |")
    ranks = ", ".join(f"{name} {value:+.2f}" for name, value in correlations.items())
    return [*lines, "", f"Rank correlation of distance and largest drop over these groups: {ranks}."]


def write_local(result: Path) -> None:
    """What becomes of pictures of which a part is damaged."""
    content = json.loads(result.read_text(encoding="utf-8"))
    columns = list(next(iter(content["parts"].values()))["all"])
    lines = ["| damaged part | " + " | ".join(c.replace("_", " ") for c in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for part, kinds in content["parts"].items():
        values = (f"{v:+.2f} dB" if c == "gain" else f"{v:.1%}" for c, v in kinds["all"].items())
        lines.append(f"| {part} | " + " | ".join(values) + " |")
    replace_block(EXAMINATION, "local", "\n".join(lines) + "\n" + provenance_line(result, content["provenance"]))


def write_growths(results: list[Path]) -> None:
    """What the default bundle's network has learnt, and what its older tasks have kept."""
    rows = []
    for result in results:
        training = json.loads(result.read_text(encoding="utf-8"))
        names = training["recipe"]["degradations"]["names"]
        best = max(training["validations"], key=lambda line: line["gain"])
        restored = ", ".join(f"{name} {best[name]:.2f} dB" for name in names)
        tasks = training["retention"]["tasks"]
        kept = ", ".join(f"{task['task']} {task['before']:.2f} to {task['after']:.2f} dB" for task in tasks)
        told = training["provenance"]
        took = datetime.fromisoformat(training["validations"][-1]["time"]) - datetime.fromisoformat(told["date"])
        steps = f"{best['step']:,} of {training['recipe']['steps']:,}"
        learnt = f"{names[0]} (`results/{result.name}`)"
        rows.append([learnt, restored, f"{best['gain']:+.2f} dB", kept, steps, f"{took.total_seconds() / 60:.0f}"])
        words = (
            f"Validation: {training['facts']['protocol']}. Trained at revision {told['revision']['commit'][:10]}, on "
            f"{told['hardware']['cpu']}, one core."
        )
    table = markdown_table(["learnt", "restored", "gain", "older tasks", "steps", "minutes"], rows)
    replace_block(GROWING, "growths", f"{table}\n\n{words}\n")


def write_overviews(result: Path) -> None:
    """What tones from copies of several sizes bring."""
    content = json.loads(result.read_text(encoding="utf-8"))
    rows = [
        [kind, *(f"{gain:+.2f}" for gain in gains)]
        for kinds in content["gains"].values()
        for kind, gains in kinds.items()
    ]
    sides = ["no copy" if side is None else f"{side} px" for side in content["sides"]]
    table = markdown_table(["gain in dB", *sides], rows)
    replace_block(GROWING, "overviews", f"{table}\n{provenance_line(result, content['provenance'])}")


def _matrix(confusion: dict[str, dict[str, int]]) -> list[str]:
    """A confusion matrix as Markdown."""
    columns = list(next(iter(confusion.values())))
    rows = [
        f"| {kind} | " + " | ".join(str(row[name] or "") for name in columns) + " |" for kind, row in confusion.items()
    ]
    return ["| damage | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns), *rows]


def write_pictures() -> None:
    """Restores the examples with the default bundle and puts them below their damaged originals."""
    restorer = Restorer()
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
    protocol = table.protocols[0]
    methods = [name for name in table.methods if name != INPUT]
    rows = []
    for info in table.sets:
        means = [table.mean(info.name, name, protocol.name, "psnr") for name in (INPUT, *methods)]
        rows.append(f"| {info.title} | " + " | ".join("" if mean is None else f"{mean:.2f}" for mean in means) + " |")
    gains = [table.average_gain(name, protocol.name, "psnr") or 0.0 for name in methods]
    return "\n".join(
        [
            "# Model card: the default bundle",
            "",
            f"{len(bundle.manifest.parts)} parts, {bundle.total_bytes / 1e6:.1f} MB. `unblemish bundle show` prints",
            "each with its checksum, training and scores; `results/training_*.json` are the records of the trainings.",
            "",
            "| part | purpose | architecture | steps | trained on | recipe |",
            "| --- | --- | --- | ---: | --- | --- |",
            *(f"| {name} | {_part(part)} |" for name, part in bundle.manifest.parts.items()),
            "",
            f"- **licence**: {bundle.entry().licence}, as far as it is ours to give; see the training set's terms",
            f"- **training set**: {bundle.entry().training_set}",
            f"- **protocol**: {protocol}",
            f"- **measured by**: `{provenance['command']}`",
            "",
            "| damage | " + " | ".join((INPUT, *methods)) + " |",
            "|---|" + "---:|" * (1 + len(methods)),
            *rows,
            "| **average gain** | | " + " | ".join(f"{gain:+.2f}" for gain in gains) + " |",
            "",
            "Written by `recipes/pages.py` from `results/default_bundle.json`. Not for evidence: the networks invent",
            "plausible detail where the damage has removed it.",
            "",
        ]
    )


def _part(entry: NetworkEntry | KnowledgeEntry) -> str:
    """A part's columns."""
    if isinstance(entry, KnowledgeEntry):
        return f"tells damage from statistics | classifiers | | {entry.hardware} | `{entry.recipe}`"
    architecture = f"`{entry.architecture}`"
    return f"{entry.purpose} | {architecture} | {entry.steps:,} | {entry.hardware} | `{entry.recipe}`"


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    scores = steps.add_parser("scores")
    scores.add_argument("result", type=Path)
    examination = steps.add_parser("examination")
    examination.add_argument("trial", type=Path)
    examination.add_argument("rules", type=Path)
    similarity = steps.add_parser("similarity")
    similarity.add_argument("result", type=Path)
    groups = steps.add_parser("groups")
    groups.add_argument("name", help="of the block of docs/grouping.md that it replaces")
    groups.add_argument("scored", type=Path)
    groups.add_argument("--search", type=Path)
    local = steps.add_parser("local")
    local.add_argument("result", type=Path)
    table = steps.add_parser("table")
    table.add_argument("result", type=Path)
    table.add_argument("block", help="the block of docs/results.md that it replaces")
    growths = steps.add_parser("growths")
    growths.add_argument("results", type=Path, nargs="+", help="records of the joint trainings, oldest first")
    overviews = steps.add_parser("overviews")
    overviews.add_argument("result", type=Path)
    steps.add_parser("pictures")
    arguments = parser.parse_args()
    if arguments.step == "scores":
        write_scores(arguments.result)
    elif arguments.step == "examination":
        write_examination(arguments.trial, arguments.rules)
    elif arguments.step == "similarity":
        write_similarity(arguments.result)
    elif arguments.step == "groups":
        write_groups(arguments.name, arguments.scored, arguments.search)
    elif arguments.step == "local":
        write_local(arguments.result)
    elif arguments.step == "growths":
        write_growths(arguments.results)
    elif arguments.step == "overviews":
        write_overviews(arguments.result)
    elif arguments.step == "table":
        write_table(arguments.result, arguments.block)
    else:
        write_pictures()


if __name__ == "__main__":
    main()
