from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from unblemish.examination.classifier import HIDDEN, Classifier
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.examination.knowledge import Knowledge, Settings
from unblemish.networks.catalogue import create
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard

OPTIONS = {"blocks": 1, "width": 4}
STATED = {
    "licence": "CC0-1.0",
    "training_set": "none",
    "recipe": "none",
    "scores": {"psnr": 1.0},
    "protocol": "none",
}
CODEC = Group(name="codec", degradations=("jpeg",), network="mix")


def network(name: str = "mix", architecture: str = "srresnet", weights: str = "", **changes: Any) -> Any:
    card = NetworkCard(name=name, purpose="tests", architecture=architecture, options=OPTIONS, **STATED | changes)
    return card, create(weights or architecture, OPTIONS).state_dict()


def knowledge(*degradations: str) -> Any:
    kinds = ("clean", *degradations)
    classifier, regression = (
        Classifier(
            mean=torch.zeros(2),
            spread=torch.ones(2),
            inner=torch.zeros(1, 2, HIDDEN),
            inner_bias=torch.zeros(1, 1, HIDDEN),
            outer=torch.zeros(1, HIDDEN, outputs),
            outer_bias=torch.zeros(1, 1, outputs),
            temperature=torch.tensor(1.0),
        )
        for outputs in (len(kinds), 1)
    )
    margin = dict.fromkeys(degradations, 1.0)
    settings = Settings(kinds=kinds, groups={"codec": degradations}, sure=0.5, margin=margin, coverage=0.9)
    signatures = dict.fromkeys(kinds, GeneralisedGaussian(1.0, 1.0))
    known = Knowledge(settings, classifier, classifier, regression, signatures)
    return KnowledgeCard(settings=settings.model_dump(mode="json"), **STATED), known.tensors()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """One network, one group, and what examines."""
    examination = (network("sees", "srresnet_x4"), knowledge("jpeg"))
    return Bundle.write(tmp_path / "bundle", [network()], groups=[CODEC], examination=examination)


def problems(bundle: Bundle) -> dict[str, str]:
    return {report.part: "; ".join(report.problems) for report in bundle.verify() if report.problems}


def test_a_whole_bundle_has_no_problems(bundle: Bundle) -> None:
    reports = bundle.verify()
    assert [report.part for report in reports] == ["network mix", "descriptor", "knowledge"]
    for report in reports:
        assert report.problems == ()
        assert report.size == (bundle.path / report.file).stat().st_size
    assert problems(bundle.pack(bundle.path.with_name("my.bundle"))) == {}


def test_each_part_is_held_against_its_checksum(bundle: Bundle) -> None:
    for entry in bundle.manifest.parts.values():
        path = bundle.path / entry.file
        path.write_bytes(path.read_bytes() + b" ")
    found = problems(bundle)
    assert set(found) == {"network mix", "descriptor", "knowledge"}
    assert all("differs from its checksum" in problem for problem in found.values())


def test_a_missing_file_is_one_problem(bundle: Bundle) -> None:
    (bundle.path / bundle.entry().file).unlink()
    assert "cannot be read" in problems(bundle)["network mix"]
    assert bundle.verify()[0].size is None


def test_weights_of_another_architecture(bundle: Bundle) -> None:
    assert "does not fit SRResNet" in problems(bundle.update([network(weights="srresnet_x4")]))["network mix"]
    card, weights = network()
    unknown = card.model_copy(update={"architecture": "fog"})
    assert "no network is called 'fog'" in problems(bundle.update([(unknown, weights)]))["network mix"]


def test_a_descriptor_that_describes_nothing(bundle: Bundle) -> None:
    changed = bundle.update(examination=(network("sees", "srresnet"), knowledge("jpeg")))
    assert "a descriptor must enlarge by four" in problems(changed)["descriptor"]


def test_knowledge_that_is_none(bundle: Bundle) -> None:
    card, tensors = knowledge("jpeg")
    del tensors["signatures"]
    changed = bundle.update(examination=(network("sees", "srresnet_x4"), (card, tensors)))
    assert "knowledge is damaged" in problems(changed)["knowledge"]


def test_knowledge_of_other_groups(bundle: Bundle) -> None:
    changed = bundle.update(examination=(network("sees", "srresnet_x4"), knowledge("jpeg", "haze")))
    message = "calibrated for the groups codec: haze, jpeg and the bundle has codec: jpeg"
    assert message in problems(changed)["knowledge"]


def test_scores_and_their_protocol_must_be_stated(bundle: Bundle) -> None:
    assert "states no scores" in problems(bundle.update([network(scores={})]))["network mix"]
    assert "not how they are computed" in problems(bundle.update([network(protocol="")]))["network mix"]


def test_generators_are_checked(bundle: Bundle) -> None:
    replaying = bundle.update(generators=[network("replay", "replay_generator")])
    assert [report.part for report in replaying.verify()][-1] == "generator replay"
    assert problems(replaying) == {}
    path = replaying.path / replaying.manifest.generators[0].file
    path.write_bytes(path.read_bytes() + b" ")
    assert "differs from its checksum" in problems(replaying)["generator replay"]
    wrong = bundle.update(generators=[network("replay", "replay_generator", weights="srresnet")])
    assert "does not fit ReplayGenerator" in problems(wrong)["generator replay"]


def test_all_parts_of_a_shared_file_are_reported(bundle: Bundle) -> None:
    entry = bundle.entry("mix")
    grown = bundle.update([(entry.model_copy(update={"name": "grown"}), bundle.blob(entry))])
    reports = {report.part: report for report in grown.verify()}
    assert reports["network mix"].file == reports["network grown"].file
    assert problems(grown) == {}
    path = grown.path / entry.file
    path.write_bytes(path.read_bytes() + b" ")
    assert {*problems(grown)} == {"network mix", "network grown"}
