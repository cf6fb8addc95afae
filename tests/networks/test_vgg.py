from __future__ import annotations

import itertools
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from unblemish.networks import vgg as module
from unblemish.networks.errors import NetworkError
from unblemish.networks.vgg import PUBLISHED, TORCHVISION, VARIABLES, Vgg, VggName, find_weights, layers_of, load_vgg

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNTS = {"vgg11_bn": 9_225_984, "vgg16": 14_714_688, "vgg19": 20_024_384}
"""Parameters of the convolutions of columns A, D and E (Simonyan and Zisserman, 2014), and of normalisations."""


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


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_count(name: VggName) -> None:
    with torch.device("meta"):
        network = Vgg(name, ["pool5"])
    assert sum(p.numel() for p in network.parameters()) == COUNTS[name]
    assert not any(p.requires_grad for p in network.parameters())


def test_indices_are_those_of_torchvision() -> None:
    places = module._places("vgg16")
    assert [places[name] for name in ("relu1_2", "relu2_2", "relu3_3")] == [3, 8, 15]
    places = module._places("vgg19")
    assert [places[f"relu{block}_1"] for block in range(1, 6)] == [1, 6, 11, 20, 29]
    assert [places[f"pool{block}"] for block in range(1, 6)] == [4, 9, 18, 27, 36]
    places = module._places("vgg11_bn")
    assert [places[f"pool{block}"] for block in range(1, 6)] == [3, 7, 14, 21, 28]
    assert module._weighted("vgg11_bn") == {0, 1, 4, 5, 8, 9, 11, 12, 15, 16, 18, 19, 22, 23, 25, 26}
    assert layers_of("vgg11_bn")[:4] == ("relu1_1", "pool1", "relu2_1", "pool2")


def test_features_are_those_of_the_layers_named(weights: Path) -> None:
    x = torch.rand(2, 3, 12, 16)
    normalised = torch.stack([(x[:, c] - MEAN[c]) / DEVIATION[c] for c in range(3)], 1)
    body = two_blocks()
    with torch.no_grad():
        wanted = [body[:9](normalised), body[:2](normalised)]
    found = load_vgg("vgg16", ["relu2_2", "relu1_1"], weights)(x)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    raw = load_vgg("vgg16", ["relu1_1"], weights, normalise=False)(x)[0]
    torch.testing.assert_close(raw, body[:2](x).detach(), rtol=1e-4, atol=1e-6)


@pytest.fixture
def first_two_blocks() -> nn.Sequential:
    """Of VGG11 with batch normalisation, with random weights and statistics, as torchvision lays them out."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for entering, leaving in ((3, 64), (64, 128)):
        norm = nn.BatchNorm2d(leaving)
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert values is not None
            nn.init.uniform_(values, 0.2, 1.5)
        layers += [nn.Conv2d(entering, leaving, 3, padding=1), norm, nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("counted", [True, False])
def test_batch_normalisation_keeps_the_published_statistics(
    tmp_path: Path, first_two_blocks: nn.Sequential, counted: bool
) -> None:
    """Files from before PyTorch counted batches lack the counters."""
    state = {f"features.{key}": value for key, value in first_two_blocks.state_dict().items()}
    path = tmp_path / "vgg11_bn.pth"
    torch.save({key: value for key, value in state.items() if counted or "num_batches" not in key}, path)
    x = torch.rand(2, 3, 12, 16)
    network = load_vgg("vgg11_bn", ["pool2", "relu1_1"], path, normalise=False)
    network.train()
    with torch.no_grad():
        wanted = [first_two_blocks(x), first_two_blocks[:3](x)]
    for _ in range(2):
        for one, other in zip(network(x), wanted, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_statistics_count_in_the_name_of_weights(tmp_path: Path, first_two_blocks: nn.Sequential) -> None:
    state = {f"features.{key}": value.clone() for key, value in first_two_blocks.state_dict().items()}
    digests = []
    for number, change in enumerate(("", "features.1.num_batches_tracked", "features.1.running_var")):
        path = tmp_path / f"{number}.safetensors"
        save_file({key: value + 1 if key == change else value for key, value in state.items()}, path)
        digests.append(load_vgg("vgg11_bn", ["relu1_1"], path).digest)
    assert digests[0] == digests[1] != digests[2]


def test_missing_statistics_are_named(tmp_path: Path, first_two_blocks: nn.Sequential) -> None:
    state = {f"features.{key}": value for key, value in first_two_blocks.state_dict().items() if "running" not in key}
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(NetworkError, match=r"features.1.running_mean of shape \(64,\) is missing"):
        load_vgg("vgg11_bn", ["relu1_1"], tmp_path / "weights.safetensors")


def test_weights_have_a_name_whatever_file_holds_them(tmp_path: Path, weights: Path) -> None:
    state = load_file(weights)
    torch.save(state, tmp_path / "same.pth")
    save_file({key: value + 0.1 for key, value in state.items()}, tmp_path / "other.safetensors")
    one, same, other = (load_vgg("vgg16", ["relu1_1"], path).digest for path in (
        weights, tmp_path / "same.pth", tmp_path / "other.safetensors",
    ))  # fmt: skip
    assert one == same != other


def test_unknown_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"VGG16 has no layer relu3_4; choose from relu1_1, "):
        Vgg("vgg16", ["relu1_1", "relu3_4"])
    with pytest.raises(ValueError, match="no layer to take"):
        Vgg("vgg19", [])


def test_pictures_that_are_too_small_are_refused(weights: Path) -> None:
    network = load_vgg("vgg16", ["relu2_1"], weights)
    assert network(torch.rand(1, 3, 2, 2))[0].shape == (1, 128, 1, 1)
    with pytest.raises(NetworkError, match=r"5 x 1 pixels are too few for the layers relu2_1 of VGG16, which need 2"):
        network(torch.rand(1, 3, 1, 5))
    pooled = load_vgg("vgg16", ["pool2"], weights)
    assert pooled(torch.rand(1, 3, 4, 4))[0].shape == (1, 128, 1, 1)
    with pytest.raises(NetworkError, match="5 x 3 pixels are too few for the layers pool2 of VGG16, which need 4"):
        pooled(torch.rand(1, 3, 3, 5))


def test_weights_are_looked_for(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    assert find_weights("vgg16") is None
    with pytest.raises(NetworkError, match="no VGG16 weights are given; set UNBLEMISH_VGG16"):
        load_vgg("vgg16", ["relu2_2"])
    monkeypatch.setenv("UNBLEMISH_VGG16", str(weights))
    assert find_weights("vgg16") == weights
    assert load_vgg("vgg16", ["relu2_2"]).layers == ("relu2_2",)


def test_wrong_files_are_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(NetworkError, match="no such file"):
        load_vgg("vgg16", ["relu1_1"], tmp_path / "missing")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(NetworkError, match="cannot be read as safetensors"):
        load_vgg("vgg16", ["relu1_1"], tmp_path / "text")
    with pytest.raises(NetworkError, match=r"features.10.weight of shape \(256, 128, 3, 3\) is missing"):
        load_vgg("vgg16", ["relu3_1"], weights)


def test_the_other_vgg_s_weights_are_refused(tmp_path: Path) -> None:
    """The first seven convolutions of VGG16 and VGG19 have the same shapes."""
    names: tuple[VggName, ...] = ("vgg11_bn", "vgg16", "vgg19")
    for name, other in itertools.permutations(names, 2):
        with torch.device("meta"):
            shapes = {key: value.shape for key, value in Vgg(name, ["pool5"]).state_dict().items()}
        path = tmp_path / f"{name}.safetensors"
        save_file({key: torch.zeros(shape, dtype=torch.float8_e4m3fn) for key, shape in shapes.items()}, path)
        with pytest.raises(NetworkError, match=f"holds another network than {other.upper()}"):
            load_vgg(other, ["relu2_1"], path)


def published(folder: Path, state: dict[str, torch.Tensor]) -> Path:
    path = folder / "hub/checkpoints" / PUBLISHED["vgg16"]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path


def test_published_file_is_checked(tmp_path: Path) -> None:
    published(tmp_path / "cache", {f"features.{k}": v for k, v in two_blocks().state_dict().items()})
    with pytest.raises(NetworkError, match="differs from the checksum in its name"):
        load_vgg("vgg16", ["relu1_1"])


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
    monkeypatch.setattr(module, "sha256", lambda path: PUBLISHED["vgg16"].split("-")[1])
    network = load_vgg("vgg16", ["relu1_1"], TORCHVISION)
    assert torch.equal(network.features[0].weight, state["features.0.weight"])


def test_without_torchvision_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(NetworkError, match=r"torchvision cannot fetch vgg16-397923af.pth .* or set UNBLEMISH_VGG16"):
        load_vgg("vgg16", ["relu1_1"], TORCHVISION)
