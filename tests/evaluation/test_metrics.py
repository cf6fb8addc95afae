from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.metrics import create_metric, metric_names, psnr, ssim
from unblemish.evaluation.protocol import preset

skimage_metrics = pytest.importorskip("skimage.metrics")


def pair(sigma: float, channels: int = 3, batch: int = 3) -> tuple[Tensor, Tensor]:
    """Noisy and clean 8-bit pictures with flat, smooth and busy areas: `(batch, channels, 37, 52)` each."""
    generator = torch.Generator().manual_seed(channels)
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 37), torch.linspace(0, 1, 52), indexing="ij")
    clean = torch.stack([rows, columns, (12 * rows * columns).sin().abs()])[:channels].repeat(batch, 1, 1, 1)
    clean[:, :, 10:20, 10:30] = 0.5
    noisy = clean + sigma * torch.randn(clean.shape, generator=generator)
    return noisy.clamp(0, 1).mul(255).round() / 255, clean.mul(255).round() / 255


@pytest.mark.parametrize("sigma", [0.004, 0.1, 0.5])
def test_psnr_is_that_of_scikit_image(sigma: float) -> None:
    x, y = pair(sigma)
    for value, a, b in zip(psnr(x, y).tolist(), x.double().numpy(), y.double().numpy(), strict=True):
        assert value == pytest.approx(skimage_metrics.peak_signal_noise_ratio(b, a, data_range=1.0), abs=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0.004, 0.1, 0.5])
@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_is_that_of_scikit_image(window: str, sigma: float, channels: int) -> None:
    x, y = pair(sigma, channels)
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    settings = gaussian if window == "gaussian" else {}
    for value, a, b in zip(ssim(x, y, window).tolist(), x.double().numpy(), y.double().numpy(), strict=True):
        expected = skimage_metrics.structural_similarity(b, a, data_range=1.0, channel_axis=0, **settings)
        assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0.004, 0.1, 0.5])
def test_zero_padded_ssim_is_that_of_an_explicit_window(sigma: float, channels: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    rows, columns = np.mgrid[-5:6, -5:6]
    window = np.exp(-(rows**2 + columns**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(values: np.ndarray) -> np.ndarray:
        return ndimage.correlate(values, window, mode="constant", cval=0.0)

    x, y = pair(sigma, channels)
    for value, a, b in zip(ssim(x, y, border="zero").tolist(), x.double().numpy(), y.double().numpy(), strict=True):
        maps = []
        for p, q in zip(a, b, strict=True):
            variances = mean(p * p) - mean(p) ** 2, mean(q * q) - mean(q) ** 2
            upper = (2 * mean(p) * mean(q) + 1e-4) * (2 * (mean(p * q) - mean(p) * mean(q)) + 9e-4)
            maps.append(upper / ((mean(p) ** 2 + mean(q) ** 2 + 1e-4) * (sum(variances) + 9e-4)))
        assert np.shape(maps) == (channels, 37, 52)
        assert value == pytest.approx(np.mean(maps), abs=1e-12)


def test_ssim_and_psnr_are_those_of_torchmetrics() -> None:
    image = pytest.importorskip("torchmetrics.functional.image")
    x, y = (picture.double() for picture in pair(0.1))
    theirs = image.structural_similarity_index_measure(x, y, data_range=1.0, reduction="none", return_full_image=True)
    # Theirs averages over the invented border too; within the picture both must agree.
    inside = theirs[1][..., 5:-5, 5:-5].mean((1, 2, 3))
    assert ssim(x, y) == pytest.approx(inside, abs=1e-9)
    expected = image.peak_signal_noise_ratio(x, y, data_range=1.0, dim=(1, 2, 3), reduction="none")
    # Theirs holds its constants in float32, even for float64 pictures.
    assert psnr(x, y) == pytest.approx(expected, rel=2 * torch.finfo(torch.float32).eps)


def test_each_picture_of_a_batch_is_scored_on_its_own() -> None:
    x, y = pair(0.1)
    x[1] = y[1]
    assert psnr(x, y).tolist() == [psnr(a[None], b[None]).item() for a, b in zip(x, y, strict=True)]
    assert torch.isinf(psnr(x, y)).tolist() == [False, True, False]
    assert ssim(x, y)[1].item() == pytest.approx(1, abs=1e-12)


def test_psnr_averages_the_error_over_channels_not_the_decibels() -> None:
    y = torch.zeros(1, 3, 8, 8)
    x = y.clone()
    x[:, 0] = 0.3
    assert psnr(x, y).item() == pytest.approx(-10 * math.log10(0.09 / 3), abs=1e-6)  # 0.3 is not exact in float32


def test_small_pictures_have_no_ssim() -> None:
    with pytest.raises(EvaluationError, match="11 x 11"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))
    assert ssim(torch.zeros(1, 3, 7, 40), torch.zeros(1, 3, 7, 40), "uniform").item() == 1
    assert ssim(torch.zeros(1, 3, 4, 40), torch.zeros(1, 3, 4, 40), border="zero").item() == 1


def test_metrics_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (picture.double() for picture in pair(0.1))
    assert torch.equal(create_metric("psnr").compute(x, y, preset("rgb")), psnr(x, y))
    assert create_metric("psnr").compute(x, x, preset("rgb")).tolist() == [100.0] * 3
    assert torch.equal(create_metric("ssim").compute(x, y, preset("lira")), ssim(x, y, "uniform"))
    assert torch.equal(create_metric("ssim").compute(x, y, preset("clearer")), ssim(x, y, border="zero"))
    with pytest.raises(EvaluationError, match="psnr, ssim, lpips, alex_distance"):
        create_metric("niqe")
    monkeypatch.delenv("UNBLEMISH_ALEXNET", raising=False)
    for name in metric_names()[2:]:
        with pytest.raises(EvaluationError, match="UNBLEMISH_ALEXNET"):
            create_metric(name)
