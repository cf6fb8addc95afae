from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import nn

from unblemish.pictures.folders import find_pictures
from unblemish.training.errors import TrainingError
from unblemish.training.validation import Validation

CPU = torch.device("cpu")


class Darker(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.9037


@pytest.fixture
def validation(photos: Path) -> Validation:
    return Validation(find_pictures(photos), crop=48, names=["gaussian_noise", "jpeg"], seed=0)


def test_scores_are_what_scikit_image_computes(validation: Validation) -> None:
    scores = validation.score(Darker(), CPU)
    assert list(scores) == ["gaussian_noise", "jpeg", "clean", "gain"]
    gains = []
    for name, damaged in [*validation.degraded.items(), ("clean", validation.clean)]:
        restored = np.rint((damaged * 0.9037).numpy() * 255) / 255
        pairs = list(zip(validation.clean.numpy(), restored, strict=True))
        expected = np.mean([peak_signal_noise_ratio(y, x, data_range=1) for y, x in pairs])
        assert scores[name] == pytest.approx(expected, abs=1e-3)
        if name != "clean":
            inputs = zip(validation.clean.numpy(), damaged.numpy(), strict=True)
            gains.append(expected - np.mean([peak_signal_noise_ratio(y, x, data_range=1) for y, x in inputs]))
    assert scores["gain"] == pytest.approx(np.mean(gains), abs=1e-3)


def test_a_network_that_does_nothing_gains_nothing(validation: Validation) -> None:
    scores = validation.score(nn.Identity(), CPU)
    assert scores["gain"] == 0.0
    assert scores["clean"] == validation.protocol.psnr_ceiling


def test_two_batches_are_a_quick_look(validation: Validation) -> None:
    calls = []

    class Counting(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(len(x))
            return x

    scores = validation.score(Counting(), CPU, batches=2)
    assert calls == [6, 6]
    assert set(scores) == {"gaussian_noise", "jpeg", "gain"}


def test_damage_is_always_the_same(photos: Path, validation: Validation) -> None:
    torch.manual_seed(77)
    again = Validation(find_pictures(photos), crop=48, names=["gaussian_noise", "jpeg"], seed=0)
    for name, damaged in validation.degraded.items():
        assert torch.equal(damaged, again.degraded[name])


def test_crops_are_central_and_the_protocol_is_stated(validation: Validation, photos: Path) -> None:
    pixels = np.asarray(Image.open(find_pictures(photos)[0]))[12:60, 16:64]
    assert np.array_equal(np.rint(validation.clean[0].permute(1, 2, 0).numpy() * 255), pixels)
    assert "6 held-out pictures, central 48 x 48 px" in str(validation.protocol)
    assert "RGB" in str(validation.protocol)


def test_broken_and_small_pictures_are_listed(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("junk")
    Image.new("RGB", (20, 99)).save(tmp_path / "b.png")
    paths = [*find_pictures(tmp_path), *find_pictures(photos)]
    validation = Validation(paths, crop=48, names=["jpeg"], seed=0)
    assert [path.name for path in validation.broken] == ["a.png", "b.png"]
    assert len(validation.clean) == 6
    with pytest.raises(TrainingError, match="no validation picture"):
        Validation(find_pictures(tmp_path), crop=48, names=["jpeg"], seed=0)


def test_shrunk_pictures_gain_over_their_bicubic_enlargement(photos: Path) -> None:
    validation = Validation(find_pictures(photos), crop=48, names=[], seed=0, shrink=4)

    class Bicubic(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.interpolate(x, scale_factor=4.0, mode="bicubic", antialias=True)

    scores = validation.score(Bicubic(), CPU)
    assert scores["gain"] == pytest.approx(0, abs=1e-6)
    assert 20 < scores["clean"] < 60


def test_gray_pictures_have_one_channel_and_a_protocol_of_their_own(photos: Path) -> None:
    names = ["gray_gaussian_noise:sigma=30"]
    gray = Validation(find_pictures(photos), crop=48, names=names, seed=0, gray=True, rounding="none")
    assert gray.clean.shape == (6, 1, 48, 48)
    assert gray.degraded[names[0]].shape == (6, 1, 48, 48)
    noise = (gray.degraded[names[0]] - gray.clean) * 255
    assert float(noise.std()) == pytest.approx(30, abs=2)
    assert not torch.equal(noise, noise.round())
    assert str(gray.protocol).startswith("gray on 6 held-out pictures, central 48 x 48 px: gray,")
    with Image.open(find_pictures(photos)[0]) as picture:
        luma = np.asarray(picture.convert("L"))
    top, left = ((side - 48) // 2 for side in luma.shape)
    assert np.array_equal(gray.clean[0, 0].numpy() * 255, luma[top : top + 48, left : left + 48].astype(np.float32))
    assert gray.score(Darker(), CPU)["gain"] > -20


def test_given_kernels_are_scored_under_a_name_of_their_own(photos: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "box.npy", np.ones((5, 5)))
    np.save(tmp_path / "line.npy", np.ones((1, 9)))
    validation = Validation(find_pictures(photos), crop=48, names=["jpeg"], seed=0, kernels=tmp_path)
    assert list(validation.degraded) == ["jpeg", "given_kernels", "clean"]
    scores = validation.score(nn.Identity(), CPU)
    assert set(scores) == {"jpeg", "given_kernels", "clean", "gain"}
    assert scores["given_kernels"] < 60
    alone = Validation(find_pictures(photos), crop=48, names=[], seed=0, kernels=tmp_path / "box.npy")
    assert list(alone.degraded) == ["given_kernels", "clean"]
    assert set(alone.score(nn.Identity(), CPU, batches=1)) == {"given_kernels", "gain"}
