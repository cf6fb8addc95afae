from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from unblemish.networks import vgg as module
from unblemish.networks.errors import NetworkError
from unblemish.networks.vgg import PUBLISHED, TORCHVISION, VARIABLES, Depth, Vgg, find_weights, load_vgg

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNTS = {16: 14_714_688, 19: 20_024_384}
"""Parameters of the convolutions of columns D and E (Simonyan and Zisserman, 2014)."""
LAST = {16: "relu5_3", 19: "relu5_4"}


def plain(entering_leaving: list[tuple[int, int]]) -> nn.Sequential:
    """Convolutions with activations, and poolings where the channels are 0, as torchvision lays them out."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for entering, leaving in entering_leaving:
        layers += [nn.Conv2d(entering, leaving, 3, padding=1), nn.ReLU()] if entering else [nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


def two_blocks() -> nn.Sequential:
    return plain([(3, 64), (64, 64), (0, 0), (64, 128), (128, 128)])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "vgg16.safetensors"
    save_file({f"features.{key}": value for key, value in two_blocks().state_dict().items()}, path)
    return path


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("depth", COUNTS)
def test_parameter_count(depth: Depth) -> None:
    with torch.device("meta"):
        network = Vgg(depth, [LAST[depth]])
    assert sum(p.numel() for p in network.parameters()) == COUNTS[depth]
    assert not any(p.requires_grad for p in network.parameters())


def test_indices_are_those_of_torchvision() -> None:
    places = module._places(16)
    assert [places[name] for name in ("relu1_2", "relu2_2", "relu3_3")] == [3, 8, 15]
    places = module._places(19)
    assert [places[f"relu{block}_1"] for block in range(1, 6)] == [1, 6, 11, 20, 29]


def test_features_are_those_of_the_layers_named(weights: Path) -> None:
    x = torch.rand(2, 3, 12, 16)
    normalised = torch.stack([(x[:, c] - MEAN[c]) / DEVIATION[c] for c in range(3)], 1)
    body = two_blocks()
    with torch.no_grad():
        wanted = [body[:9](normalised), body[:2](normalised)]
    found = load_vgg(16, ["relu2_2", "relu1_1"], weights)(x)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    raw = load_vgg(16, ["relu1_1"], weights, normalise=False)(x)[0]
    torch.testing.assert_close(raw, body[:2](x).detach(), rtol=1e-4, atol=1e-6)


def test_weights_have_a_name_whatever_file_holds_them(tmp_path: Path, weights: Path) -> None:
    state = load_file(weights)
    torch.save(state, tmp_path / "same.pth")
    save_file({key: value + 0.1 for key, value in state.items()}, tmp_path / "other.safetensors")
    one, same, other = (load_vgg(16, ["relu1_1"], path).digest for path in (
        weights, tmp_path / "same.pth", tmp_path / "other.safetensors",
    ))  # fmt: skip
    assert one == same != other


def test_unknown_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"VGG16 has no layer relu3_4; choose from relu1_1, "):
        Vgg(16, ["relu1_1", "relu3_4"])
    with pytest.raises(ValueError, match="no layer to take"):
        Vgg(19, [])


def test_pictures_that_are_too_small_are_refused(weights: Path) -> None:
    network = load_vgg(16, ["relu2_1"], weights)
    assert network(torch.rand(1, 3, 2, 2))[0].shape == (1, 128, 1, 1)
    with pytest.raises(NetworkError, match=r"5 x 1 pixels are too few for the layers relu2_1 of VGG16, which need 2"):
        network(torch.rand(1, 3, 1, 5))


def test_weights_are_looked_for(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    assert find_weights(16) is None
    with pytest.raises(NetworkError, match="no VGG16 weights are given; set UNBLEMISH_VGG16"):
        load_vgg(16, ["relu2_2"])
    monkeypatch.setenv("UNBLEMISH_VGG16", str(weights))
    assert find_weights(16) == weights
    assert load_vgg(16, ["relu2_2"]).layers == ("relu2_2",)


def test_wrong_files_are_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(NetworkError, match="no such file"):
        load_vgg(16, ["relu1_1"], tmp_path / "missing")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(NetworkError, match="cannot be read as safetensors"):
        load_vgg(16, ["relu1_1"], tmp_path / "text")
    with pytest.raises(NetworkError, match=r"features.10.weight of shape \(256, 128, 3, 3\) is missing"):
        load_vgg(16, ["relu3_1"], weights)


def test_the_other_vgg_s_weights_are_refused(tmp_path: Path) -> None:
    """Its first seven convolutions have the same shapes."""
    for depth, other in ((16, 19), (19, 16)):
        with torch.device("meta"):
            shapes = {key: value.shape for key, value in Vgg(depth, [LAST[depth]]).state_dict().items()}
        path = tmp_path / f"{depth}.safetensors"
        save_file({key: torch.zeros(shape, dtype=torch.float8_e4m3fn) for key, shape in shapes.items()}, path)
        with pytest.raises(NetworkError, match=f"holds another network than VGG{other}"):
            load_vgg(other, ["relu1_2"], path)


def published(folder: Path, state: dict[str, torch.Tensor]) -> Path:
    path = folder / "hub/checkpoints" / PUBLISHED[16]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path


def test_published_file_is_checked(tmp_path: Path) -> None:
    published(tmp_path / "cache", {f"features.{k}": v for k, v in two_blocks().state_dict().items()})
    with pytest.raises(NetworkError, match="differs from the checksum in its name"):
        load_vgg(16, ["relu1_1"])


def test_published_file_is_fetched_by_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = {f"features.{k}": v for k, v in two_blocks().state_dict().items()}

    class Weights:
        def get_state_dict(self, *, progress: bool, check_hash: bool) -> dict[str, torch.Tensor]:
            assert check_hash
            published(tmp_path / "cache", state)
            return state

    models = types.ModuleType("torchvision.models")
    models.get_weight = lambda name: {"VGG16_Weights.IMAGENET1K_V1": Weights()}[name]  # pyright: ignore
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    monkeypatch.setattr(module, "sha256", lambda path: PUBLISHED[16].split("-")[1])
    network = load_vgg(16, ["relu1_1"], TORCHVISION)
    assert torch.equal(network.features[0].weight, state["features.0.weight"])


def test_without_torchvision_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(NetworkError, match=r"torchvision cannot fetch vgg16-397923af.pth .* or set UNBLEMISH_VGG16"):
        load_vgg(16, ["relu1_1"], TORCHVISION)
