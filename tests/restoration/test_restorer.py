from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unblemish.examination.examination import Examination, Gain, Region, Verdict
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.networks import catalogue
from unblemish.pictures.picture import Picture
from unblemish.restoration import restorer as module
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard
from unblemish.restoration.errors import BundleError, RestorationError
from unblemish.restoration.restorer import BY_EXAMINATION, Restorer
from unblemish.restoration.treatment import Treatment

STATED = {"licence": "CC0-1.0", "training_set": "none", "recipe": "none"}


def card(name, **changes):
    return NetworkCard(
        name=name, purpose="a test", architecture="convolutions", options={"fold": 2}, **STATED | changes
    )


def found(verdict, group="noise", damage=1.0):
    levels = [damage if column < 2 or damage == 1 else 0.0 for column in range(6)]
    regions = tuple(
        tuple(Region(64 * row, 64 * column, 64, level, "noise", level) for column, level in enumerate(levels))
        for row in range(6)
    )
    return Examination(
        verdict=verdict,
        group=group,
        probabilities={"clean": 0.2, "noise": 0.5, "blur": 0.1, "unknown": 0.2},
        distances={"clean": 1.0, "noise": 2.0, "blur": 3.0},
        degradations={"gaussian_noise": 1.0},
        signature=GeneralisedGaussian(1.0, 1.0),
        gain=Gain(3.0, 1.0, 5.0, 0.9),
        regions=regions,
        rule="statistics",
        seconds=0.1,
    )


@pytest.fixture
def bundle(tmp_path, convolutions, monkeypatch):
    """Networks for two groups and a default one, and an examiner that says what `says.finding` holds."""
    monkeypatch.setattr(catalogue, "create", lambda name, options=None: convolutions(**(options or {})))
    weights = convolutions(fold=2).state_dict()
    networks = [
        (card(name, tile_margin=5), {key: value * factor for key, value in weights.items()})
        for name, factor in (("mix", 1.0), ("noise-net", 0.9), ("blur-net", 0.8))
    ]
    groups = [
        Group(name="noise", degradations=("gaussian_noise",), network="noise-net"),
        Group(name="blur", degradations=("gaussian_blur",), network="blur-net"),
    ]
    knowledge = (KnowledgeCard(settings={}, **STATED), {"nothing": torch.zeros(1)})
    return Bundle.write(tmp_path, networks, groups=groups, examination=((card("descriptor"), weights), knowledge))


@pytest.fixture
def says(monkeypatch):
    examiner = SimpleNamespace(finding=found(Verdict.KNOWN), strangers=("haze",))
    examiner.examine = lambda picture, rule=None: examiner.finding
    monkeypatch.setattr(module, "load_examiner", lambda bundle, device: examiner)
    return examiner


def picture(dtype=np.uint8, side=90):
    return Picture(np.random.default_rng(0).integers(0, 255, (side, side, 3)).astype(dtype), "png")


def treated(bundle, network, source):
    return Treatment(bundle.network(network), margin=5, device="cpu").restore(source).pixels


def test_a_bundle_without_an_examiner_treats_with_its_default(bundle, says, tmp_path):
    plain = Bundle.write(tmp_path / "plain", [(card("mix", tile_margin=5), bundle.network("mix").state_dict())])
    source = picture()
    for given in (plain, plain.path, str(plain.path)):
        restorer = Restorer(given, device="cpu")
        np.testing.assert_array_equal(restorer.restore(source).pixels, treated(bundle, "mix", source))
    assert restorer.restore_examined(source).examination is None
    assert restorer.treatment.margin == 5
    assert restorer.describe(10, 10).network == restorer.name == "mix"


def test_the_network_of_the_group_treats(bundle, says):
    source = picture()
    restorer = Restorer(bundle, device="cpu")
    assert restorer.name == restorer.describe(10, 10).network == BY_EXAMINATION
    for group, network in (("noise", "noise-net"), ("blur", "blur-net")):
        says.finding = found(Verdict.KNOWN, group)
        result, examination = restorer.restore_examined(source)
        assert examination is says.finding
        np.testing.assert_array_equal(result.pixels, treated(bundle, network, source))
        assert f"{group} (" in result.notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_clean_and_unknown_pictures_keep_their_very_pixels(bundle, says, dtype):
    restorer, source = Restorer(bundle, device="cpu"), picture(dtype)
    says.finding = found(Verdict.CLEAN)
    result = restorer.restore(source)
    assert result.pixels is source.pixels
    assert result.notes == ("clean (20% sure): left exactly as it is",)
    says.finding = found(Verdict.UNKNOWN)
    result = restorer.restore(source)
    assert result.pixels is source.pixels
    assert "--force" in result.notes[0]


def test_force_treats_the_unknown_and_spares_the_clean(bundle, says):
    restorer, source = Restorer(bundle, device="cpu", policy="force"), picture()
    says.finding = found(Verdict.UNKNOWN, "blur")
    np.testing.assert_array_equal(restorer.restore(source).pixels, treated(bundle, "blur-net", source))
    says.finding = found(Verdict.CLEAN)
    assert restorer.restore(source).pixels is source.pixels


def test_local_damage_is_treated_where_it_sits(bundle, says):
    restorer, source = Restorer(bundle, device="cpu"), picture(side=384)
    says.finding = found(Verdict.KNOWN, damage=0.9)
    result = restorer.restore(source)
    np.testing.assert_array_equal(result.pixels[:, 300:], source.pixels[:, 300:])
    np.testing.assert_array_equal(result.pixels[:, :60], treated(bundle, "noise-net", source)[:, :60])
    assert "only where" in result.notes[-1]


def test_a_named_group_or_network_needs_no_examination(bundle, says):
    says.examine = None
    source = picture()
    for choice, network in (({"group": "blur"}, "blur-net"), ({"network": "noise-net"}, "noise-net")):
        chosen = Restorer(bundle, device="cpu", **choice)
        np.testing.assert_array_equal(chosen.restore(source).pixels, treated(bundle, network, source))
    loaded = Restorer.load(bundle.path)
    x = torch.from_numpy(source.pixels).permute(2, 0, 1)[None] / 255
    expected = Treatment(bundle.network("blur-net"), margin=5).restore_tensor(x)
    torch.testing.assert_close(loaded.treat_as("blur", x), expected)


def test_tensors_go_the_way_of_pictures(bundle, says):
    x = torch.rand(2, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    restorer = Restorer(bundle, device="cpu")
    expected = Treatment(bundle.network("noise-net"), margin=5, device="cpu").restore_tensor(x)
    torch.testing.assert_close(restorer.restore_tensor(x), expected)
    says.finding = found(Verdict.CLEAN)
    assert torch.equal(restorer.restore_tensor(x), x)


def test_what_cannot_be_is_refused(bundle, says, identity):
    with pytest.raises(BundleError, match="no network 'fog'"):
        Restorer(bundle, network="fog")
    with pytest.raises(BundleError, match="no group 'fog'"):
        Restorer(bundle, group="fog")
    with pytest.raises(RestorationError, match="name one of them"):
        Restorer(bundle, group="blur", network="mix")
    with pytest.raises(RestorationError, match="careful or force"):
        Restorer(bundle, policy="brave")  # pyright: ignore[reportArgumentType]
    with pytest.raises(RestorationError, match="no bundle"):
        _ = Restorer(network=identity()).bundle
