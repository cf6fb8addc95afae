from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.metrics import create_metric
from unblemish.evaluation.perceptual import AlexDistance, load_alex_distance, load_lpips

REAL = Path(__file__).parents[3] / "shared/weights/alexnet_features.safetensors"
CHANNELS = (64, 192, 384, 256, 256)


def alexnet() -> nn.Sequential:
    """The convolutional part of AlexNet as torchvision lays it out, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip


def weights() -> dict[str, Tensor]:
    return {f"features.{key}": value.detach() for key, value in alexnet().state_dict().items()}


def pictures(batch: int = 2) -> Tensor:
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 70), torch.linspace(0, 1, 83), indexing="ij")
    plain = torch.stack([rows, columns, (12 * rows * columns).sin().abs()])
    return plain.repeat(batch, 1, 1, 1)  # (batch, 3, 70, 83)


def noisy(clean: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    return (clean + sigma * noise).clamp(0, 1)


def test_lpips_is_that_of_torchmetrics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lpips = pytest.importorskip("torchmetrics.functional.image.lpips")
    # torchmetrics takes AlexNet from torchvision, which is not installed; the rest is its own.
    monkeypatch.setattr(lpips, "_get_tv_model_features", lambda name, pretrained: alexnet())
    theirs = lpips._LPIPS(net="alex").eval()
    path = tmp_path / "alexnet.safetensors"
    save_file(weights(), path)
    clean = pictures()
    damaged = torch.cat([noisy(clean[:1], 0.05), noisy(clean[1:], 0.3)])
    with torch.no_grad():
        expected = theirs(damaged, clean, normalize=True).flatten()
    assert load_lpips(path)(damaged, clean) == pytest.approx(expected, rel=1e-4)
    assert expected[1] > expected[0] > 0


def test_uniform_heads_are_a_mean_over_channels() -> None:
    clean = pictures()
    damaged = noisy(clean, 0.1)
    plain = AlexDistance(weights())(damaged, clean)
    assert plain == pytest.approx(AlexDistance(weights(), [torch.ones(c) / c for c in CHANNELS])(damaged, clean))
    doubled = AlexDistance(weights(), [2 * torch.ones(c) / c for c in CHANNELS])(damaged, clean)
    assert doubled == pytest.approx(2 * plain)


@pytest.mark.parametrize("load", [load_lpips, load_alex_distance])
def test_distances_of_the_real_weights(load) -> None:
    if not REAL.is_file():
        pytest.skip("the real weights are not at hand")
    if load is load_lpips:
        pytest.importorskip("torchmetrics")
    distance, clean = load(REAL), pictures(1)
    assert distance(clean, clean).tolist() == [0]
    rising = [distance(noisy(clean, sigma), clean).item() for sigma in (0.02, 0.05, 0.1, 0.2)]
    assert rising == sorted(rising)
    assert rising[0] > 0
    damaged = noisy(clean, 0.1)
    assert torch.equal(distance(damaged, clean), distance(clean, damaged))


def test_weights_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "alexnet.safetensors"
    save_file(weights(), path)
    monkeypatch.setenv("UNBLEMISH_ALEXNET", str(path))
    metric = create_metric("alex_distance")
    assert (metric.rgb_only, metric.higher_is_better) == (True, False)
    assert load_alex_distance()(pictures(), pictures()).tolist() == [0, 0]


def test_small_pictures_are_refused() -> None:
    distance = AlexDistance(weights())
    assert distance(torch.zeros(1, 3, 35, 35), torch.ones(1, 3, 35, 35)).isfinite().all()
    with pytest.raises(EvaluationError, match="35 x 35"):
        distance(torch.zeros(1, 3, 34, 90), torch.zeros(1, 3, 34, 90))


def test_wrong_files_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UNBLEMISH_ALEXNET", raising=False)
    with pytest.raises(EvaluationError, match="set UNBLEMISH_ALEXNET"):
        load_alex_distance()
    with pytest.raises(EvaluationError, match="no such file"):
        load_alex_distance(tmp_path / "missing")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(EvaluationError, match="cannot be read as safetensors"):
        load_alex_distance(tmp_path / "text")
    save_file({key: value for key, value in weights().items() if "10" not in key}, tmp_path / "part")
    with pytest.raises(EvaluationError, match=r"features.10.weight of shape"):
        load_alex_distance(tmp_path / "part")


def test_without_torchmetrics_there_is_no_lpips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "alexnet.safetensors"
    save_file(weights(), path)
    monkeypatch.setattr("unblemish.evaluation.perceptual.find_spec", lambda name: None)
    with pytest.raises(EvaluationError, match=r"unblemish\[train\]"):
        load_lpips(path)
