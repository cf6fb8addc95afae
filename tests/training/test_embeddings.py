from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from unblemish.contrast import regularisation, self_prior
from unblemish.networks.errors import NetworkError
from unblemish.networks.srresnet import SRResNet, srresnet_x4
from unblemish.networks.vgg import VARIABLES, Vgg, load_vgg
from unblemish.training.embedding_part import EmbeddingPart
from unblemish.training.embeddings import (
    Embedding,
    Published,
    create_embedding,
    descriptor_embedding,
    vgg_embedding,
)
from unblemish.training.errors import TrainingError

LAYERS = {"relu1_2": 0.2, "relu2_2": 0.3, "relu3_3": 0.5}
PUBLISHED = Published("vgg16", LAYERS, normalise=True)


POOLED = Published("vgg11_bn", {"pool5": 1.0}, normalise=False, signed=True)


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))


def descriptor() -> SRResNet:
    return srresnet_x4(blocks=6, width=8)


def vgg_file(folder: Path, last: str = "relu3_3") -> Path:
    path = folder / "vgg.safetensors"
    save_file(Vgg("vgg16", [last]).state_dict(), path)
    return path


def test_distance_is_the_mean_absolute_difference_of_each_layer(embedding: Embedding) -> None:
    one, first, second = (torch.rand(2, 3, 8, 12) for _ in range(3))
    found = embedding.distance(embedding(one), embedding(torch.cat([first, second])))
    assert found.shape == (2, 2)
    pooled = [2 * F.avg_pool2d(x, 2) for x in (one, first, second)]
    torch.testing.assert_close(
        found[0], torch.stack([(one - first).abs().mean(), (pooled[0] - pooled[1]).abs().mean()])
    )
    torch.testing.assert_close(
        found[1], torch.stack([(one - second).abs().mean(), (pooled[0] - pooled[2]).abs().mean()])
    )
    torch.testing.assert_close(embedding.weighed(found), 0.25 * found[:, 0] + 0.75 * found[:, 1])


def test_weighing_is_exact_under_autocast(embedding: Embedding) -> None:
    distances = torch.rand(3, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(embedding.weighed(distances), 0.25 * distances[:, 0] + 0.75 * distances[:, 1])


def test_vgg_in_full_precision_under_autocast(tmp_path: Path) -> None:
    path, x = vgg_file(tmp_path), torch.rand(1, 3, 16, 16)
    fine, coarse = (vgg_embedding(PUBLISHED, path, full_precision=full) for full in (True, False))
    with torch.autocast("cpu", torch.bfloat16):
        assert [y.dtype for y in fine(x)] == [torch.float32] * 3
        assert [y.dtype for y in coarse(x)] == [torch.bfloat16] * 3
    for one, other in zip(fine(x), coarse(x), strict=True):
        assert torch.equal(one, other)


def test_gradients_pass_through_but_weights_stay(tmp_path: Path) -> None:
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    embedding = vgg_embedding(PUBLISHED, vgg_file(tmp_path))
    sum(y.sum() for y in embedding(x)).backward()  # pyright: ignore
    assert x.grad is not None
    assert x.grad.any()
    assert not any(p.requires_grad for p in embedding._network.parameters())


def test_descriptor_is_tapped_after_its_blocks() -> None:
    network, x = descriptor(), torch.rand(2, 3, 9, 7)
    y = F.leaky_relu(network.conv_first(x), 0.1)
    wanted = [network.body[:2](y), network.body[:5](y)]
    found = descriptor_embedding(network, {"block2": 1.0, "block5": 1.0})(x)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(ValueError, match="the descriptor has no block7; choose from block1, "):
        descriptor_embedding(network, {"block7": 1.0})


def test_auto_takes_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> Embedding:
        return create_embedding(EmbeddingPart(), Published("vgg19", LAYERS, normalise=False), descriptor, "contrast")

    stand_in = asked()
    assert stand_in.facts == {
        "network": "descriptor",
        "layers": {"block2": 0.2, "block4": 0.3, "block6": 0.5},
        "full_precision": False,
    }
    path = vgg_file(tmp_path)
    monkeypatch.setenv("UNBLEMISH_VGG16", str(path))
    assert asked().facts == {
        "network": "vgg16",
        "layers": LAYERS,
        "full_precision": False,
        "normalised": False,
        "weights": load_vgg("vgg16", ["relu3_3"], path).digest,
    }


def test_pictures_are_normalised_where_the_paper_does(tmp_path: Path) -> None:
    path, x = vgg_file(tmp_path), torch.rand(1, 3, 16, 16)
    first = Vgg("vgg16", ["relu1_2"], normalise=False)
    load = vgg_embedding(Published("vgg16", {"relu1_2": 1.0}, normalise=False), path)
    first.load_state_dict({key: value for key, value in load_file(path).items() if key in first.state_dict()})
    torch.testing.assert_close(load(x)[0], first(x)[0])
    normalised = vgg_embedding(Published("vgg16", {"relu1_2": 1.0}, normalise=True), path)
    assert (normalised(x)[0] - first(x)[0]).abs().max() > 0.1
    assert self_prior.PUBLISHED.normalise
    assert not regularisation.PUBLISHED.normalise


def test_more_layers_than_blocks_share_them() -> None:
    layers = {f"relu{number}_1": number / 10 for number in range(1, 6)}
    published = Published("vgg19", layers, normalise=False)
    small = create_embedding(EmbeddingPart(), published, lambda: srresnet_x4(blocks=2, width=8), "contrast")
    assert small.layers == {"block1": pytest.approx(0.1 + 0.2 + 0.3), "block2": pytest.approx(0.4 + 0.5)}


def test_a_file_may_hold_either_vgg(tmp_path: Path) -> None:
    state = {key: torch.zeros(1).expand(value.shape) for key, value in Vgg("vgg16", ["relu5_3"]).state_dict().items()}
    path = tmp_path / "vgg16.pt"
    torch.save(state, path)
    layers = {"relu4_1": 1.0}
    found = create_embedding(
        EmbeddingPart(embedding_weights=path), Published("vgg19", layers, normalise=False), descriptor, "contrast"
    )
    assert found.name == "vgg16"
    found = create_embedding(EmbeddingPart(embedding_weights=path), POOLED, descriptor, "perceptual")
    assert found.name == "vgg16"
    part = EmbeddingPart(embedding_weights=tmp_path / "missing.pt")
    with pytest.raises(NetworkError, match=r"missing\.pt: no such file; VGG19"):
        create_embedding(part, Published("vgg19", layers, normalise=False), descriptor, "contrast")


def test_a_vgg_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(NetworkError, match="no VGG16 weights are given; set UNBLEMISH_VGG16"):
        create_embedding(EmbeddingPart(embedding="vgg16"), PUBLISHED, descriptor, "contrast")


def test_layers_of_the_recipe(tmp_path: Path) -> None:
    part = EmbeddingPart(
        embedding="vgg16", embedding_weights=vgg_file(tmp_path), layers=("relu2_1",), layer_weights=(2.0,)
    )
    assert create_embedding(part, PUBLISHED, descriptor, "contrast").layers == {"relu2_1": 2.0}
    wrong = EmbeddingPart(embedding="vgg16", layers=("relu9",), layer_weights=(1.0,))
    with pytest.raises(TrainingError, match=r"contrast.layers: VGG16 has no layer relu9"):
        create_embedding(wrong, PUBLISHED, descriptor, "contrast")
    with pytest.raises(ValueError, match="layers and layer_weights together"):
        EmbeddingPart(layers=("relu1_1",))


def test_another_vgg_stands_in_only_where_it_has_the_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBLEMISH_VGG11_BN", str(tmp_path / "missing.safetensors"))
    assert create_embedding(EmbeddingPart(), PUBLISHED, descriptor, "contrast").name == "descriptor"
    with pytest.raises(NetworkError, match="no such file; VGG11_BN"):
        create_embedding(EmbeddingPart(), POOLED, descriptor, "perceptual")
    wrong = EmbeddingPart(embedding="vgg11_bn", layers=("relu1_2",), layer_weights=(1.0,))
    with pytest.raises(TrainingError, match=r"perceptual\.layers: VGG11_BN has no layer relu1_2"):
        create_embedding(wrong, POOLED, descriptor, "perceptual")


def test_signed_pictures_reach_a_vgg_between_minus_one_and_one(tmp_path: Path) -> None:
    path, x = vgg_file(tmp_path), torch.rand(1, 3, 16, 16)
    plain, signed = (
        vgg_embedding(Published("vgg16", {"pool2": 1.0}, normalise=False, signed=on), path) for on in (False, True)
    )
    assert torch.equal(signed(x)[0], plain(2 * x - 1)[0])
    assert signed.facts == plain.facts | {"signed": True}
    stand_in = create_embedding(EmbeddingPart(embedding="descriptor"), POOLED, descriptor, "perceptual")
    assert not stand_in.signed
    assert stand_in.layers == {"block6": 1.0}
