from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError

from unblemish.networks import catalogue
from unblemish.networks.errors import NetworkError
from unblemish.restoration.bundle import ENVIRONMENT, Bundle, NetworkCard
from unblemish.restoration.errors import BundleError


@pytest.fixture(autouse=True)
def tiny_architecture(convolutions, monkeypatch):
    monkeypatch.setattr(catalogue, "create", lambda name, options=None: convolutions(**(options or {})))


def card(name="mix", **changes):
    known = {"purpose": "eleven kinds of damage", "licence": "Apache-2.0", "training_set": "random numbers"}
    return NetworkCard(name=name, architecture="convolutions", options={"fold": 2}, **known, **changes)


@pytest.fixture
def bundle(tmp_path, convolutions):
    weights = convolutions(fold=2).state_dict()
    other = {key: value + 1 for key, value in weights.items()}
    return Bundle.write(tmp_path / "bundle", [(card(), weights), (card("other", tile_margin=9), other)])


def edit(bundle, change):
    path = bundle.folder / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_what_is_written_is_read(bundle, convolutions):
    read = Bundle.load(bundle.folder)
    assert read.manifest == bundle.manifest
    assert read.names == ("mix", "other")
    assert read.entry().name == "mix"
    assert read.entry("other").tile_margin == 9
    expected = convolutions(fold=2).state_dict()
    network = read.network()
    assert not network.training
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0)
    torch.testing.assert_close(read.network("other").state_dict()["body.1.bias"], expected["body.1.bias"] + 1)


def test_the_environment_names_a_bundle(bundle, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, str(bundle.folder))
    assert Bundle.load().folder == bundle.folder


def test_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="there is no bundle in"):
        Bundle.load(tmp_path)


def test_unknown_network(bundle):
    with pytest.raises(BundleError, match="no network 'fog': choose mix, other"):
        bundle.entry("fog")


def test_tampered_weights(bundle):
    path = bundle.folder / bundle.entry().file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="differs from its checksum"):
        bundle.network()
    path.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.network()


def test_weights_of_another_architecture(tmp_path, convolutions):
    bundle = Bundle.write(tmp_path / "bundle", [(card(), convolutions(fold=1).state_dict())])
    with pytest.raises(NetworkError, match="does not fit Convolutions"):
        bundle.network()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(surprise=1), "surprise: Extra inputs are not permitted"),
        (lambda content: content["networks"][0].update(surprise=1), "networks.0.surprise"),
        (lambda content: content["networks"][0].update(file="../outside.safetensors"), "networks.0.file"),
        (lambda content: content.update(default="fog"), "default network 'fog' is none of mix, other"),
        (lambda content: content["networks"].append(content["networks"][0]), "two networks have one name"),
        (lambda content: content.update(format=2), "bundle format 2 and this program reads 1"),
        (lambda content: content["networks"][0].pop("licence"), "networks.0.licence: Field required"),
    ],
)
def test_a_damaged_description_is_named(bundle, change, message):
    edit(bundle, change)
    with pytest.raises(BundleError, match=message):
        Bundle.load(bundle.folder)


def test_a_network_of_the_catalogue(tmp_path, monkeypatch):
    monkeypatch.undo()
    known = {"purpose": "damage", "licence": "Apache-2.0", "training_set": "none"}
    network = catalogue.create("nafnet_compact")
    halved = {key: value.half() for key, value in network.state_dict().items()}
    bundle = Bundle.write(tmp_path, [(NetworkCard(name="mix", architecture="nafnet_compact", **known), halved)])
    for key, value in bundle.network().state_dict().items():
        torch.testing.assert_close(value, halved[key].float(), rtol=0, atol=0)


def test_no_json(bundle):
    (bundle.folder / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="is no JSON"):
        Bundle.load(bundle.folder)


def test_rewriting_drops_only_what_the_old_bundle_held(bundle, convolutions):
    (bundle.folder / "README.md").write_text("kept")
    old = {bundle.entry(name).file for name in bundle.names}
    weights = {key: value * 2 for key, value in convolutions(fold=2).state_dict().items()}
    again = Bundle.write(bundle.folder, [(card(), weights)])
    assert {path.name for path in bundle.folder.iterdir()} == {"README.md", "bundle.json", again.entry().file}
    assert again.entry().file not in old


def test_a_folder_of_other_things_is_left_alone(tmp_path, convolutions):
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(BundleError, match="holds other files than a bundle"):
        Bundle.write(tmp_path, [(card(), convolutions(fold=2).state_dict())])


def test_cards_that_do_not_fit_together(tmp_path, convolutions):
    weights = convolutions(fold=2).state_dict()
    with pytest.raises(BundleError, match="two networks have one name"):
        Bundle.write(tmp_path / "bundle", [(card(), weights), (card(), weights)])
    with pytest.raises(ValidationError):
        card(tile_margin=-1)
