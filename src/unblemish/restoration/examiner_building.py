"""The examiner of a user's own bundle: calibrated on the user's photographs, or read where it was before."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save

from unblemish.evaluation.provenance import hardware, revision
from unblemish.examination.classifier import MEMBERS
from unblemish.examination.errors import ExaminationError
from unblemish.examination.knowledge import Knowledge
from unblemish.examination.observations import VERSION, fold_of
from unblemish.examination.specimens import NOTHING_GIVEN, Given
from unblemish.files import write_atomically
from unblemish.networks.base import Network
from unblemish.restoration.bundle_parts import KnowledgeCard
from unblemish.restoration.calibrating import STRANGE, calibrate
from unblemish.restoration.examining import describer
from unblemish.restoration.group_finding import digest, listing, read_result
from unblemish.restoration.listening import Listener
from unblemish.restoration.treatment import Treatment

PHOTOGRAPHS, TREATED = 240, 60
"""How many photographs at most an examiner is calibrated on, and on how many of them gains are measured."""


@dataclass(frozen=True, slots=True)
class Treated:
    """A group that an examiner is to know.

    Attributes:
        degradations: Its members.
        network: What treats them, in evaluation mode.
        digest: Tells other weights of the network apart.
        overview: As of its card.
    """

    degradations: tuple[str, ...]
    network: Network
    digest: str
    overview: int | None = None


def choose_photographs(paths: Sequence[Path]) -> list[Path]:
    """The photographs that the examiner is calibrated on, in mixed order; too few of them are an error now, not later.

    They begin as those of the default bundle do (recipes/ship.py), so that measurements of these serve here too.

    Raises:
        ExaminationError: They are too few.
    """
    shown = list(paths)
    random.Random(0).shuffle(shown)
    del shown[PHOTOGRAPHS:]
    folds = {fold_of(path) for path in shown[:TREATED]}
    if len(folds) < MEMBERS:
        raise ExaminationError(
            f"{len(paths)} photographs are too few to calibrate an examiner on; give some dozens, better hundreds"
        )
    return shown


def teach(
    descriptor: Network,
    groups: Mapping[str, Treated],
    paths: Sequence[Path],
    folder: Path,
    listener: Listener,
    given: Given = NOTHING_GIVEN,
    everywhere: Sequence[str] = (),
) -> Knowledge:
    """What calibration teaches an examiner, or taught it before of the same inputs.

    Args:
        descriptor: See `examining.describer`.
        groups: By name.
        paths: Clean photographs.
        folder: Where measurements and the result are kept; made if missing.
        listener: Told of progress.
        given: As for `calibrating.calibrate`.
        everywhere: As for `calibrating.calibrate`.

    Raises:
        ExaminationError: The photographs cannot be read, or are too few.
    """
    members = {name: one.degradations for name, one in groups.items()}
    seeing = describer(descriptor, "cpu").fingerprint
    digests = [one.digest for one in groups.values()]
    content = [VERSION, seeing, list(members.items()), digests, listing(paths), TREATED, STRANGE]
    if overviews := {name: one.overview for name, one in groups.items() if one.overview}:
        content.append(overviews)
    if given:
        content.append([[kind, listing(list(pictures.values()))] for kind, pictures in given.items()])
    if everywhere:
        content.append([*everywhere])
    inputs = digest(content)
    tensors, settings = folder / "knowledge.safetensors", folder / "knowledge.json"
    if (stored := read_result(settings, inputs)) is not None:
        listener.say(f"calibration: read from {folder}")
        return Knowledge.from_parts(load_file(tensors), stored["settings"])
    listener.say(f"calibration on {len(paths)} photographs")
    folder.mkdir(parents=True, exist_ok=True)
    knowledge = calibrate(
        descriptor,
        members,
        {name: Treatment(one.network, name, device="cpu", overview=one.overview) for name, one in groups.items()},
        paths,
        folder,
        pictures_for_gains=TREATED,
        given=given,
        everywhere=everywhere,
        on_progress=listener.progress,
    )
    settings.unlink(missing_ok=True)  # of other tensors; written last, it marks the calibration as finished
    write_atomically(tensors, save(knowledge.tensors()))
    stated = {"inputs": inputs, "settings": knowledge.settings.model_dump(mode="json")}
    write_atomically(settings, json.dumps(stated, indent=2).encode())  # unsorted: the order of groups means something
    return knowledge


def knowledge_card(knowledge: Knowledge, *, licence: str, training_set: str, recipe: str) -> KnowledgeCard:
    """What a bundle states of an examiner's knowledge.

    Args:
        knowledge: As `teach` gave it.
        licence: Of the knowledge.
        training_set: The photographs, in words.
        recipe: The command that made it.
    """
    device = hardware()
    return KnowledgeCard(
        settings=knowledge.settings.model_dump(mode="json"),
        licence=licence,
        training_set=training_set,
        recipe=recipe,
        protocol="shares of specimens that the judging member had not seen",
        scores=knowledge.settings.scores,
        hardware=f"{device['cores']} cores of {device['cpu']}",
        revision=(revision() or {}).get("commit", ""),
    )
