from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.errors import UserError
from unblemish.examination.classifier import HIDDEN, MEMBERS, Classifier
from unblemish.examination.errors import ExaminationError
from unblemish.examination.examiner import Examiner
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.examination.knowledge import Knowledge, Settings
from unblemish.examination.statistics import local_vectors, measure, picture_vector
from unblemish.networks.srresnet import srresnet, srresnet_x4_compact
from unblemish.pictures.picture import Picture
from unblemish.pictures.writing import encode, write
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard
from unblemish.restoration.examining import describer, examine, load_examiner

TERMS = {"licence": "Apache-2.0", "training_set": "random numbers", "recipe": "drawn at random"}
KINDS = ("clean", "gaussian_noise", "haze")


def classifier(size: int, classes: int) -> Classifier:
    return Classifier(
        mean=torch.zeros(size),
        spread=torch.ones(size),
        inner=torch.randn(MEMBERS, size, HIDDEN) / size**0.5,
        inner_bias=torch.zeros(MEMBERS, 1, HIDDEN),
        outer=torch.randn(MEMBERS, HIDDEN, classes),
        outer_bias=torch.zeros(MEMBERS, 1, classes),
        temperature=torch.ones(()),
    )


@pytest.fixture
def descriptor():
    torch.manual_seed(0)
    return srresnet_x4_compact(blocks=1, width=4).eval()


@pytest.fixture
def knowledge(descriptor) -> Knowledge:
    measured = measure(describer(descriptor, "cpu"), torch.rand(3, 64, 64))
    local = local_vectors(measured.moments).shape[1]
    whole = len(picture_vector(measured.moments, measured.tones))
    settings = Settings(
        kinds=KINDS,
        groups={"noise": ("gaussian_noise",)},
        sure=0.5,
        margin={"gaussian_noise": 1.0, "haze": 1.0},
        coverage=0.9,
    )
    signatures = {kind: GeneralisedGaussian(1.0 + k, 2.0) for k, kind in enumerate(KINDS)}
    return Knowledge(settings, classifier(whole, 3), classifier(local, 3), classifier(whole, 1), signatures)


@pytest.fixture
def bundle(tmp_path, descriptor, knowledge) -> Bundle:
    network = srresnet(blocks=1, width=4)
    restores = NetworkCard(
        name="mix", purpose="noise", architecture="srresnet", options={"blocks": 1, "width": 4}, **TERMS
    )
    describes = NetworkCard(
        name="descriptor",
        purpose="describes",
        architecture="srresnet_x4_compact",
        options={"blocks": 1, "width": 4},
        **TERMS,
    )
    knows = KnowledgeCard(settings=knowledge.settings.model_dump(mode="json"), **TERMS)
    return Bundle.write(
        tmp_path / "bundle",
        [(restores, network.state_dict())],
        groups=[Group(name="noise", degradations=("gaussian_noise",), network="mix")],
        examination=((describes, descriptor.state_dict()), (knows, knowledge.tensors())),
    )


@pytest.fixture
def picture() -> Picture:
    return Picture(np.random.default_rng(0).integers(0, 256, (100, 90, 3), dtype=np.uint8), "png")


def test_a_bundle_examines_as_what_it_was_made_of(bundle, descriptor, knowledge, picture, tmp_path) -> None:
    expected = Examiner(describer(descriptor, "cpu"), knowledge).examine(picture)
    packed = bundle.pack(tmp_path / "packed.bundle")
    for given in (bundle, bundle.path, str(bundle.path), packed.path):
        found = load_examiner(given, "cpu").examine(picture)
        assert found.probabilities == expected.probabilities
        assert found.regions == expected.regions
        assert found.finding == expected.finding


def test_a_picture_a_file_or_its_bytes(bundle, picture, tmp_path) -> None:
    write(picture, tmp_path / "picture.png")
    expected = examine(picture, bundle=bundle).probabilities
    sources = (tmp_path / "picture.png", str(tmp_path / "picture.png"), encode(picture))
    for source in sources:
        assert examine(source, bundle=bundle).probabilities == pytest.approx(expected, abs=1e-6)


def test_the_descriptor_is_not_changed(descriptor, picture) -> None:
    before = {name: value.clone() for name, value in descriptor.state_dict().items()}
    features = describer(descriptor, "cpu")
    assert features.tap == "trunk"
    features(torch.rand(1, 3, 64, 64))
    for name, value in descriptor.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


def test_what_cannot_examine_is_refused(bundle, tmp_path, identity) -> None:
    with pytest.raises(ExaminationError, match="cannot describe damage: give an srresnet_x4 network"):
        describer(identity(), "cpu")
    with pytest.raises(ExaminationError, match="enlarge by four"):
        describer(srresnet(blocks=1, width=4), "cpu")
    weights = srresnet(blocks=1, width=4).state_dict()
    plain = Bundle.write(tmp_path / "plain", [(bundle.entry(), weights)])
    with pytest.raises(UserError, match="examines no pictures"):
        load_examiner(plain)
    with pytest.raises(UserError, match="no bundle"):
        load_examiner(tmp_path / "nowhere")
