from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from torch import nn

from unblemish.examination.alternative_features import SiftFeatures, Vgg16Features
from unblemish.networks.errors import NetworkError

REAL = Path(__file__).parents[3] / "shared/weights/vgg16_features.safetensors"


def vgg16() -> nn.Sequential:
    """The first three blocks of VGG16 as torchvision lays them out, with random weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for entering, leaving in (
        (3, 64),
        (64, 64),
        (0, 0),
        (64, 128),
        (128, 128),
        (0, 0),
        (128, 256),
        (256, 256),
        (256, 256),
    ):
        layers += [nn.Conv2d(entering, leaving, 3, padding=1), nn.ReLU()] if entering else [nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "vgg16.safetensors"
    save_file({f"features.{key}": value for key, value in vgg16().state_dict().items()}, path)
    return path


def test_vgg16_is_that_of_torchvision_on_normalised_pictures(weights: Path) -> None:
    x = torch.rand(2, 3, 20, 28)
    normalised = torch.stack([(x[:, c] - (0.485, 0.456, 0.406)[c]) / (0.229, 0.224, 0.225)[c] for c in range(3)], 1)
    with torch.no_grad():
        expected = vgg16()(normalised)
    found = Vgg16Features(weights)(x)
    assert found.shape == (2, 256, 5, 7)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    coarse = Vgg16Features(weights, torch.bfloat16)
    assert coarse(x).dtype == torch.bfloat16
    assert coarse.description == {"kind": "VGG16", "layer": "relu3_3", "dtype": "bfloat16"}


def test_vgg16_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    if not REAL.is_file():
        pytest.skip("the real weights are not at hand")
    monkeypatch.setenv("UNBLEMISH_VGG16", str(REAL))
    photo = torch.from_numpy(data.astronaut()[100:164, 150:214]).permute(2, 0, 1)[None].float() / 255
    features = Vgg16Features()
    sharp, flat = features(photo), features(photo.mean((2, 3), keepdim=True).expand(1, 3, 64, 64))
    assert sharp.std() > 2 * flat.std()


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no such file"):
        Vgg16Features(tmp_path / "missing")


def test_sift_on_a_grid() -> None:
    ramp = torch.linspace(0, 1, 32)
    pictures = torch.stack([ramp.expand(3, 24, 32), ramp.flip(0).expand(3, 24, 32)])  # (2, 3, 24, 32)
    found = SiftFeatures()(pictures)
    assert found.shape == (2, 128, 3, 4)
    assert found.min() >= 0
    assert found.max() <= 1
    orientations = found.reshape(2, 16, 8, 3, 4).sum((1, 3, 4))  # (2, 8)
    # A gradient to the right and one to the left lie half a turn apart.
    assert (orientations[0].argmax() - orientations[1].argmax()).abs() == 4


def test_sift_places_follow_the_picture() -> None:
    photo = data.astronaut()[100:228, 150:278]
    two = np.stack([photo, np.roll(photo, -8, axis=1)])
    first, moved = SiftFeatures()(torch.from_numpy(two).permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(first[:, 4:12, 5:12], moved[:, 4:12, 4:11], rtol=0, atol=0.05)
