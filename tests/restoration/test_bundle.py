from __future__ import annotations

import json

import pytest
import torch
from pydantic import ValidationError

from unblemish.networks import catalogue
from unblemish.networks.errors import NetworkError
from unblemish.restoration.bundle import ENVIRONMENT, Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard
from unblemish.restoration.errors import BundleError

TERMS = {"licence": "Apache-2.0", "training_set": "random numbers", "recipe": "drawn at random"}
BLUR = Group(name="blur", degradations=("defocus_blur", "ringing"), network="other")


@pytest.fixture(autouse=True)
def tiny_architecture(convolutions, monkeypatch):
    monkeypatch.setattr(catalogue, "create", lambda name, options=None: convolutions(**(options or {})))


def card(name="mix", **changes):
    known = {"purpose": "eleven kinds of damage", **TERMS}
    return NetworkCard(name=name, architecture="convolutions", options={"fold": 2}, **known, **changes)


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.fixture
def bundle(tmp_path, convolutions):
    weights = convolutions(fold=2).state_dict()
    other = {key: value + 1 for key, value in weights.items()}
    return Bundle.write(tmp_path / "bundle", [(card(), weights), (card("other", tile_margin=9), other)])


def blurred(**changes):
    return BLUR.model_dump(mode="json") | changes


def edit(bundle, change):
    path = bundle.path / "bundle.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_what_is_written_is_read(bundle, convolutions):
    read = Bundle.load(bundle.path)
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
    monkeypatch.setenv(ENVIRONMENT, str(bundle.path))
    assert Bundle.load().path == bundle.path


def test_the_bundle_in_the_wheel_has_a_name(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = Bundle.load().path
    monkeypatch.setenv(ENVIRONMENT, "")
    assert Bundle.load().path == shipped
    monkeypatch.setenv(ENVIRONMENT, str(bundle.path))
    assert Bundle.load("default").path == shipped
    bundle.path.rename("default")
    assert Bundle.load("default").names == ("mix", "other")


def test_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="there is no bundle in"):
        Bundle.load(tmp_path)


def test_unknown_network(bundle):
    with pytest.raises(BundleError, match="no network 'fog': choose mix, other"):
        bundle.entry("fog")


def test_tampered_weights(bundle):
    path = bundle.path / bundle.entry().file
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
        (lambda content: content.update(format=1), "bundle format 1 and this program reads 2 and 3: fetch or build"),
        (lambda content: content.update(format=4), "bundle format 4 and this program reads 2 and 3: install a newer"),
        (lambda content: content.update(format="2"), "states no bundle format"),
        (lambda content: content.pop("format"), "states no bundle format"),
        (lambda content: content["networks"][0].update(recipe=""), "networks.0.recipe"),
        (lambda content: content["networks"][0].update(scores={"psnr": float("nan")}), "networks.0.scores.psnr"),
        (lambda content: content["networks"][0].update(treats=["../haze"]), "networks.0.treats.0"),
        (lambda content: content["groups"].append(blurred(network="fog")), "'fog' of the group 'blur' is none of"),
        (lambda content: content["groups"].append(blurred(name="clean")), "no group can be called 'clean'"),
        (lambda content: content["groups"].extend([blurred(), blurred(name="b")]), "two groups treat one degradation"),
        (lambda content: content["groups"].extend([blurred(), blurred()]), "two groups have one name: blur"),
        (lambda content: content["groups"].append(blurred(network="mix")), "'mix' does not treat all of the group"),
        (lambda content: content.update(generators=content["networks"]), "generators need bundle format 3, not 2"),
        (lambda content: content["networks"][0].pop("licence"), "networks.0.licence: Field required"),
    ],
)
def test_a_damaged_description_is_named(bundle, change, message):
    edit(bundle.update([(card(treats=("jpeg",)), bundle.blob(bundle.entry()))]), change)
    with pytest.raises(BundleError, match=message):
        Bundle.load(bundle.path)


def test_a_network_of_the_catalogue(tmp_path, monkeypatch):
    monkeypatch.undo()
    known = {"purpose": "damage", **TERMS}
    network = catalogue.create("nafnet_compact")
    halved = {key: value.half() for key, value in network.state_dict().items()}
    bundle = Bundle.write(tmp_path, [(NetworkCard(name="mix", architecture="nafnet_compact", **known), halved)])
    for key, value in bundle.network().state_dict().items():
        torch.testing.assert_close(value, halved[key].float(), rtol=0, atol=0)


def test_no_json(bundle):
    for content in ("{", "[" * 100_000):
        (bundle.path / "bundle.json").write_text(content)
        with pytest.raises(BundleError, match="is no JSON"):
            Bundle.load(bundle.path)


def test_rewriting_drops_only_what_the_old_bundle_held(bundle, convolutions):
    (bundle.path / "README.md").write_text("kept")
    old = {bundle.entry(name).file for name in bundle.names}
    weights = {key: value * 2 for key, value in convolutions(fold=2).state_dict().items()}
    again = Bundle.write(bundle.path, [(card(), weights)])
    assert {path.name for path in bundle.path.iterdir()} == {"README.md", "bundle.json", again.entry().file}
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


def test_groups_name_their_network(bundle):
    grouped = bundle.update(groups=[BLUR])
    assert grouped.groups == (BLUR,)
    assert grouped.entry(grouped.group("blur").network).name == "other"
    with pytest.raises(BundleError, match="no group 'haze': choose blur"):
        grouped.group("haze")
    with pytest.raises(BundleError, match="no group 'blur': it has none, choose a network"):
        bundle.group("blur")


def test_an_update_leaves_other_parts_untouched(bundle, convolutions):
    before = contents(bundle.path)
    weights = {key: value * 3 for key, value in convolutions(fold=2).state_dict().items()}
    more = bundle.update([(card("third"), weights), (card("other"), weights)], default="third", groups=[BLUR])
    assert more.names == ("mix", "other", "third")
    assert more.entry().name == "third"
    assert more.entry("mix") == bundle.entry("mix")
    after = contents(bundle.path)
    mix, other = bundle.entry("mix").file, bundle.entry("other").file
    assert after[mix] == before[mix]
    assert other not in after
    torch.testing.assert_close(more.network("other").state_dict()["body.1.bias"], weights["body.1.bias"])
    assert more.update().manifest == more.manifest


def test_a_card_alone_is_changed(bundle):
    before = contents(bundle.path)
    entry = bundle.entry("other")
    scored = bundle.update([(entry.model_copy(update={"scores": {"psnr": 30.0}}), bundle.blob(entry))])
    assert scored.entry("other").scores == {"psnr": 30.0}
    after = contents(bundle.path)
    assert {name for name in before if before[name] != after[name]} == {"bundle.json"}


def test_a_failed_update_leaves_the_old_bundle(bundle, convolutions):
    before = contents(bundle.path)
    with pytest.raises(BundleError, match=r"the parts do not make a bundle: .*'fog'"):
        bundle.update([(card(), convolutions(fold=1).state_dict())], default="fog")
    assert contents(bundle.path) == before


def test_what_examines_is_a_part(bundle, convolutions):
    weights = convolutions(fold=2).state_dict()
    knowledge = KnowledgeCard(settings={"kinds": ["clean", "ringing"], "sure": 0.5}, **TERMS)
    tensors = {"signatures": torch.tensor([[1.0, 2.0]], dtype=torch.float64)}
    seen = bundle.update(groups=[BLUR], examination=((card("sees"), weights), (knowledge, tensors)))
    assert set(seen.manifest.parts) == {"network mix", "network other", "descriptor", "knowledge"}
    assert not seen.descriptor().training
    found, settings = seen.knowledge()
    assert settings == {"kinds": ["clean", "ringing"], "sure": 0.5}
    torch.testing.assert_close(found, tensors, rtol=0, atol=0)
    assert seen.total_bytes == sum(path.stat().st_size for path in seen.path.iterdir())
    assert seen.update([(card("third"), weights)]).manifest.examination == seen.manifest.examination
    with pytest.raises(BundleError, match="chooses among groups, and there is none"):
        seen.update(groups=())


def test_a_bundle_that_examines_nothing(bundle):
    for ask in (bundle.descriptor, bundle.knowledge):
        with pytest.raises(BundleError, match="examines no pictures"):
            ask()


def test_no_networks(tmp_path):
    with pytest.raises(BundleError, match="the parts do not make a bundle: networks"):
        Bundle.write(tmp_path / "bundle", [])


def test_what_is_no_safetensors_is_said(bundle):
    broken = bundle.update([(card(), b"pickled things")])
    with pytest.raises(BundleError, match="is no safetensors file"):
        broken.network()


@pytest.fixture
def replaying(bundle, convolutions):
    """The bundle with a generator for haze."""
    weights = {key: value * 5 for key, value in convolutions(fold=2).state_dict().items()}
    return bundle.update(generators=[(card("haze", treats=("haze",)), weights)])


def stated(bundle):
    return json.loads((bundle.path / "bundle.json").read_text())


def test_generators_are_parts(replaying, bundle, convolutions):
    assert set(replaying.manifest.parts) == {"network mix", "network other", "generator haze"}
    assert replaying.names == ("mix", "other")
    (entry,) = replaying.manifest.generators
    assert (entry.treats, entry.file.startswith("generator-haze-")) == (("haze",), True)
    network = replaying.generator("haze")
    assert not network.training
    expected = convolutions(fold=2).state_dict()["body.1.bias"] * 5
    torch.testing.assert_close(network.state_dict()["body.1.bias"], expected, rtol=0, atol=0)
    assert replaying.total_bytes == sum(path.stat().st_size for path in replaying.path.iterdir())
    with pytest.raises(BundleError, match="no generator 'rain': choose haze"):
        replaying.generator("rain")
    with pytest.raises(BundleError, match="no generator 'rain': it has none, give a bundle with generators"):
        bundle.generator("rain")


def test_a_bundle_is_written_with_generators(tmp_path, convolutions):
    weights = convolutions(fold=2).state_dict()
    more = {key: value + 1 for key, value in weights.items()}
    written = Bundle.write(tmp_path / "new", [(card(), weights)], generators=[(card("haze"), more), (card(), more)])
    assert [entry.name for entry in written.manifest.generators] == ["haze", "mix"]
    assert len(written.manifest.files) == 2
    torch.testing.assert_close(written.generator("mix").state_dict()["body.1.bias"], more["body.1.bias"])
    with pytest.raises(BundleError, match="two generators have one name: haze"):
        Bundle.write(tmp_path / "other", [(card(), weights)], generators=[(card("haze"), more)] * 2)


def test_only_bundles_with_generators_are_of_the_newer_format(bundle, replaying):
    assert list(stated(replaying)) == ["format", "default", "networks", "groups", "examination", "generators"]
    assert stated(replaying)["format"] == 3
    plain = Bundle.write(replaying.path, [(entry, replaying.blob(entry)) for entry in replaying.manifest.networks])
    assert list(stated(plain)) == ["format", "default", "networks", "groups", "examination"]
    assert stated(plain)["format"] == 2
    assert plain.manifest == bundle.manifest
    assert {path.name for path in plain.path.iterdir()} == {"bundle.json", *bundle.manifest.files}
    edit(plain, lambda content: content.update(format=3))
    assert Bundle.load(plain.path).manifest.generators == ()


def test_an_update_keeps_replaces_and_adds_generators(replaying, convolutions):
    before = contents(replaying.path)
    (haze,) = replaying.manifest.generators
    weights = {key: value * 7 for key, value in convolutions(fold=2).state_dict().items()}
    assert replaying.update([(card("third"), weights)]).manifest.generators == (haze,)
    both = replaying.update(generators=[(card("rain"), weights)])
    assert [entry.name for entry in both.manifest.generators] == ["haze", "rain"]
    assert contents(both.path)[haze.file] == before[haze.file]
    changed = both.update(generators=[(card("haze"), weights)])
    assert [entry.name for entry in changed.manifest.generators] == ["haze", "rain"]
    assert haze.file not in contents(changed.path)
    torch.testing.assert_close(changed.generator("haze").state_dict()["body.1.bias"], weights["body.1.bias"])


def test_networks_of_equal_weights_share_a_file(tmp_path, convolutions):
    weights = convolutions(fold=2).state_dict()
    tasks = [(card(name, tile_margin=margin), weights) for name, margin in (("base", 1), ("grown", 2))]
    bundle = Bundle.write(tmp_path / "bundle", tasks)
    assert bundle.entry("base").file == bundle.entry("grown").file
    assert [bundle.entry(name).tile_margin for name in ("base", "grown")] == [1, 2]
    assert len(contents(bundle.path)) == 2
    assert bundle.total_bytes == sum(path.stat().st_size for path in bundle.path.iterdir())
    for name in bundle.names:
        torch.testing.assert_close(bundle.network(name).state_dict()["body.1.bias"], weights["body.1.bias"])


def test_an_update_leaves_a_shared_file_to_the_others(tmp_path, convolutions):
    weights = convolutions(fold=2).state_dict()
    bundle = Bundle.write(tmp_path / "bundle", [(card("base"), weights)])
    bundle = bundle.update([(card("grown"), weights)])
    shared = bundle.entry("base").file
    entry = bundle.entry("grown")
    assert entry.file == shared
    bundle = bundle.update([(entry.model_copy(update={"scores": {"psnr": 30.0}}), bundle.blob(entry))])
    assert {path.name for path in bundle.path.iterdir()} == {"bundle.json", shared}
    other = {key: value + 1 for key, value in weights.items()}
    bundle = bundle.update([(card("base"), other)])
    assert bundle.entry("grown").file == shared
    assert len(contents(bundle.path)) == 3
    torch.testing.assert_close(bundle.network("grown").state_dict()["body.1.bias"], weights["body.1.bias"])
    bundle = bundle.update([(card("grown"), other)])
    assert {path.name for path in bundle.path.iterdir()} == {"bundle.json", bundle.entry("base").file}
