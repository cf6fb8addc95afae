"""Puts trained networks, and what examines pictures, into the default bundle.

    python recipes/ship.py network RUN_FOLDER --name NAME --purpose TEXT --recipe RECIPE [--options JSON]
    python recipes/ship.py generator RUN_FOLDER --name NAME --purpose TEXT --recipe RECIPE
    python recipes/ship.py grown PACKED RUNS_FOLDER
    python recipes/ship.py overview NAME PHOTOGRAPHS
    python recipes/ship.py examination PHOTOGRAPHS --runs FOLDER --group NAME[=DEGRADATION,...] ...
    python recipes/ship.py figures results/examination.json

The first adds the best weights of a run of `unblemish train`, in half precision, or replaces the network of that
name, and keeps the run's record in `results/training_NAME.json`, with those of the runs that it began with; options
that bear on no weight, such as a Golf Optimizer's iterations, may differ from the training's. The second does so with
the generator of a network that can grow, which is called like it. The third takes over what `unblemish grow` has taught
the default bundle, from the grown bundle, and keeps the records that --runs of that command holds. The fourth chooses
whether a network takes tones from a small copy of the picture, as that command does. The fifth puts the named networks
into groups of what they treat (or of those degradations), calibrates an examiner for these groups on the photographs,
and adds it, with the bundle's descriptor or a new one (--descriptor RUN --recipe RECIPE); measurements are kept in
FOLDER. The sixth writes what `unblemish bundle measure` found into the cards. `recipes/pages.py` writes the
documents.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from unblemish.degradations.catalogue import GRIDS_ELEVEN, create
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.networks.base import Network
from unblemish.networks.catalogue import create as create_network
from unblemish.networks.loading import load_weights
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard
from unblemish.restoration.calibrating import calibrate
from unblemish.restoration.margin import measure_margin
from unblemish.restoration.overview_choice import choose_overview
from unblemish.restoration.treatment import treatment_of

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "src/unblemish/assets/default_bundle"
RECORDS = ROOT / "results"
TRAINING_SET = (
    "659 photographs: BSDS500 train and test (332) and ImageNet (190), both for non-commercial research; sun-hays (80, "
    "Flickr, no licence stated); wallpaper photographs of Debian packages (57, CC-BY, CC-BY-SA, public domain)"
)
LICENCE = "Apache-2.0"
PHOTOGRAPHS = 360
"""How many of the photographs an examiner is calibrated on, drawn with seed 0."""


def ship_network(run: Path, name: str, purpose: str, recipe: str, options: dict[str, Any] | None = None) -> None:
    """Puts the best weights of a training run into the bundle; its other parts are not touched."""
    network, card = trained(run, name, purpose, recipe, options)
    card = card.model_copy(update={"tile_margin": measure_margin(network, damaged_photographs())})
    networks = [(card, halved(network))]
    if BUNDLE.exists():
        Bundle.load(BUNDLE).update(networks)
    else:
        Bundle.write(BUNDLE, networks)


def ship_generator(run: Path, name: str, purpose: str, recipe: str) -> None:
    """Puts the best weights of a generator's training into the bundle; its other parts are not touched."""
    network, card = trained(run, name, purpose, recipe, role="generator")
    best = best_validation(json.loads((RECORDS / f"training_{name}_generator.json").read_text(encoding="utf-8")))
    scores = {f"psnr/{kind}": round(best[kind], 4) for kind in ("damage", "real_damage", "restored", "real_restored")}
    Bundle.load(BUNDLE).update(generators=[(card.model_copy(update={"scores": scores}), halved(network))])


def ship_grown(packed: Path, runs: Path) -> None:
    """Puts the parts of a bundle that has grown from the default one in the place of that one's."""
    grown = Bundle.load(packed)
    manifest, name = grown.manifest, grown.groups[-1].name
    for stage, record in (("joint-training", name), ("training-of-the-generator", f"{name}_generator")):
        (run,) = runs.glob(f"{stage}-*")
        keep_records(run, record)
    assert manifest.examination is not None
    descriptor, knowledge = manifest.examination.descriptor, manifest.examination.knowledge
    Bundle.load(BUNDLE).update(
        [(ours(entry), grown.blob(entry)) for entry in manifest.networks],
        groups=grown.groups,
        examination=((descriptor, grown.blob(descriptor)), (knowledge, grown.blob(knowledge))),
        generators=[(ours(entry), grown.blob(entry)) for entry in manifest.generators],
    )


def ship_overview(name: str, photographs: Path) -> None:
    """Chooses whether a network takes tones from a small copy of the picture, on photographs drawn with seed 0."""
    bundle = Bundle.load(BUNDLE)
    paths = find_pictures(photographs)
    random.Random(0).shuffle(paths)
    card = bundle.entry(name)
    chosen = choose_overview(bundle.network(name), paths, card.treats)
    bundle.update([(card.model_copy(update={"overview": chosen}), bundle.blob(card))])


def ours(card: NetworkCard) -> NetworkCard:
    """A card that says which photographs are in the folder that `unblemish grow` was given, and their licence."""
    return card.model_copy(update={} if card.licence == LICENCE else {"licence": LICENCE, "training_set": TRAINING_SET})


def ship_examination(photographs: Path, runs: Path, named: list[str], descriptor: tuple[Path, str] | None) -> None:
    """Adds groups, their descriptor and an examiner's knowledge to the bundle."""
    bundle = Bundle.load(BUNDLE)
    groups = [parsed_group(bundle, text) for text in named]
    if descriptor:
        seeing, card = trained(descriptor[0], "descriptor", "describes damage by its deep features", descriptor[1])
        # The descriptor keeps float32: the knowledge is calibrated with these very numbers, and it is small.
        stored: Any = seeing.state_dict()
    else:
        assert bundle.manifest.examination is not None
        seeing, card = bundle.descriptor(), bundle.manifest.examination.descriptor
        stored = bundle.blob(card)
    paths = find_pictures(photographs)
    random.Random(0).shuffle(paths)
    knowledge = calibrate(
        seeing,
        {group.name: group.degradations for group in groups},
        {group.name: treatment_of(bundle, group.network, device="cpu") for group in groups},
        paths[:PHOTOGRAPHS],
        runs,
        on_progress=tell,
    )
    record = provenance(["python", *sys.argv], [0], 0.0)
    known = KnowledgeCard(
        settings=knowledge.settings.model_dump(mode="json"),
        licence=LICENCE,
        training_set=f"{min(PHOTOGRAPHS, len(paths))} of the {TRAINING_SET}",
        recipe="recipes/ship.py examination",
        protocol="shares of held-out specimens, see docs/examination.md",
        scores=knowledge.settings.scores,
        hardware=f"{record['hardware']['cores']} cores of {record['hardware']['cpu']}",
        revision=(record["revision"] or {}).get("commit", ""),
    )
    bundle.update(groups=groups, examination=((card, stored), (known, knowledge.tensors())))


def parsed_group(bundle: Bundle, text: str) -> Group:
    """NAME[=DEGRADATION,...]: the group of a network; by default of all that it treats."""
    name, _, listed = text.partition("=")
    return Group(
        name=name, degradations=tuple(listed.split(",")) if listed else bundle.entry(name).treats, network=name
    )


def tell(what: str, done: int, total: int) -> None:
    """Progress, on one line."""
    sys.stderr.write(f"\r{what}: {done} of {total} ")


def ship_figures(result: Path) -> None:
    """Writes the figures of a trial into the card of the knowledge, and gains into those of the groups' networks."""
    trial = json.loads(result.read_text(encoding="utf-8"))["trial"]
    bundle = Bundle.load(BUNDLE)
    examination = bundle.manifest.examination
    assert examination is not None
    protocol = f"{trial['protocol']}; networks as chosen by examination"
    networks = []
    for group in bundle.groups:
        entry = bundle.entry(group.network)
        scores = {f"psnr_gain/{kind}": round(trial["gains"][kind], 4) for kind in group.degradations}
        networks.append((entry.model_copy(update={"scores": scores, "protocol": protocol}), bundle.blob(entry)))
    scores = {name: round(value, 4) for name, value in trial["figures"].items()}
    seeing, knowing = examination.descriptor, examination.knowledge
    known = knowing.model_copy(update={"scores": scores, "protocol": trial["protocol"]})
    parts = ((seeing, bundle.blob(seeing)), (known, bundle.blob(knowing)))
    bundle.update(networks, examination=parts)


def trained(
    run: Path, name: str, purpose: str, recipe: str, options: dict[str, Any] | None = None, role: str = ""
) -> tuple[Network, NetworkCard]:
    """The best network of a run, with some options changed, and its card; records of its trainings are kept.

    Args:
        run: Its folder.
        name: Of the network, and with its role of the records.
        purpose: For the card.
        recipe: As the card states it.
        options: Those that differ from the training's.
        role: Word that tells its records from those of a network of the same name.
    """
    trainings = keep_records(run, f"{name}_{role}" if role else name)
    training = trainings[0]
    part = training["recipe"]["network"]
    part = {**part, "options": {**part["options"], **(options or {})}}
    network = create_network(part["name"], part["options"]).eval()
    load_weights(network, run / "best.safetensors")
    hardware = training["provenance"]["hardware"]
    return network, NetworkCard(
        name=name,
        purpose=purpose,
        architecture=part["name"],
        options=part["options"],
        treats=tuple(training["recipe"]["degradations"]["names"]),
        licence=LICENCE,
        training_set=TRAINING_SET,
        recipe=recipe,
        steps=sum(best_validation(one)["step"] for one in trainings),
        hardware=hardware["gpu"] or f"{hardware['cores']} cores of {hardware['cpu']}",
        revision=(training["provenance"]["revision"] or {}).get("commit", ""),
        protocol=f"validation of the training: {training['facts']['protocol']}",
        scores={"psnr_gain/validation": round(best_validation(training)["gain"], 4)},
    )


def keep_records(run: Path, name: str) -> list[dict[str, Any]]:
    """What a run wrote down of itself, and the runs whose weights it began with, once all stand among the results."""
    training = yaml.safe_load((run / "training.yaml").read_text(encoding="utf-8"))
    training["validations"] = validations(run)
    if (kept := run / "retention.json").exists():
        training["retention"] = json.loads(kept.read_text(encoding="utf-8"))
    write_result(RECORDS / f"training_{name}.json", without_places(training))
    recipe = training["recipe"]
    earlier = {
        "first": (recipe.get("golf") or {}).get("first"),
        "experts": (recipe.get("lifelong") or {}).get("experts"),
        "start": recipe["network"].get("start"),
    }
    runs = {role: Path(weights).parent for role, weights in earlier.items() if weights}
    kept = [keep_records(one, f"{name}_{role}") for role, one in runs.items() if (one / "training.yaml").exists()]
    return [training, *itertools.chain(*kept)]


def best_validation(training: dict[str, Any]) -> dict[str, Any]:
    """The validation whose weights a run keeps as its best."""
    return max(training["validations"], key=lambda line: line["gain"])


def halved(network: Network) -> dict[str, torch.Tensor]:
    """Weights in half precision."""
    return {key: value.half() for key, value in network.state_dict().items()}


def without_places(record: dict[str, Any]) -> dict[str, Any]:
    """A run's record with the folder of its photographs by its last two names, and without the checkout's own path.

    Where things lie on the machine of a training is nobody's business.
    """
    folder = Path(record["recipe"]["data"]["folder"])
    label = "/".join(folder.parts[-2:])
    text = json.dumps(record).replace(json.dumps(str(folder))[1:-1], label)
    return json.loads(text.replace(json.dumps(f"{ROOT}/")[1:-1], ""))


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


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    network = steps.add_parser("network")
    network.add_argument("run", type=Path)
    network.add_argument("--name", required=True)
    network.add_argument("--purpose", required=True)
    network.add_argument("--recipe", required=True, help="as the card states it, such as recipes/NAME.yaml")
    network.add_argument(
        "--options", type=json.loads, help='that differ from the training\'s, such as {"iterations": 0}'
    )
    generator = steps.add_parser("generator")
    for option in ("--name", "--purpose", "--recipe"):
        generator.add_argument(option, required=True)
    generator.add_argument("run", type=Path)
    grown = steps.add_parser("grown")
    grown.add_argument("packed", type=Path)
    grown.add_argument("runs", type=Path)
    examination = steps.add_parser("examination")
    examination.add_argument("photographs", type=Path)
    examination.add_argument("--runs", type=Path, required=True)
    examination.add_argument("--group", action="append", required=True, help="network of a group; repeat")
    examination.add_argument("--descriptor", type=Path, help="run that trained another descriptor than the bundle's")
    examination.add_argument("--recipe", help="of that descriptor, as its card states it")
    overview = steps.add_parser("overview")
    overview.add_argument("name", help="of a network whose damage is of whole pictures")
    overview.add_argument("photographs", type=Path)
    figures = steps.add_parser("figures")
    figures.add_argument("result", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "network":
        ship_network(arguments.run, arguments.name, arguments.purpose, arguments.recipe, arguments.options)
    elif arguments.step == "generator":
        ship_generator(arguments.run, arguments.name, arguments.purpose, arguments.recipe)
    elif arguments.step == "grown":
        ship_grown(arguments.packed, arguments.runs)
    elif arguments.step == "overview":
        ship_overview(arguments.name, arguments.photographs)
    elif arguments.step == "examination":
        new = (arguments.descriptor, arguments.recipe or "") if arguments.descriptor else None
        ship_examination(arguments.photographs, arguments.runs, arguments.group, new)
    else:
        ship_figures(arguments.result)


if __name__ == "__main__":
    main()
