from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.deconvolution.nonblind import deconvolve
from unblemish.deconvolution.prior import learned_prior
from unblemish.degradations.blur import line_kernels
from unblemish.networks.catalogue import create
from unblemish.networks.golf import golf
from unblemish.pictures.picture import Picture
from unblemish.restoration import deconvolving
from unblemish.restoration.deconvolving import METHODS, Deconvolver
from unblemish.restoration.errors import RestorationError

LINE = line_kernels(torch.tensor([7.0]), torch.tensor([20.0]))[0]
PIXELS = np.random.default_rng(0).random((24, 30, 3)).astype(np.float32)


def test_the_prior_is_that_of_the_corrector() -> None:
    network = golf(width=2, corrector_width=2).eval()
    found = Deconvolver(LINE, method="prior", network=network, device="cpu", weight=0.2, iterations=3)
    y = torch.from_numpy(PIXELS).permute(2, 0, 1)[None]
    wanted = deconvolve(y, LINE, learned_prior(network), weight=0.2, iterations=3).picture.clamp(0, 1)
    shares: list[float] = []
    restored = found.restore(Picture(PIXELS, "tiff"), shares.append).pixels
    np.testing.assert_allclose(restored, wanted[0].permute(1, 2, 0), atol=1e-6)
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])
    gray = found.restore(Picture(np.ascontiguousarray(PIXELS[..., :1]), "tiff")).pixels
    assert gray.shape == (24, 30, 1)


def test_float_samples_beyond_white_keep_what_they_had_beyond() -> None:
    pixels = PIXELS.copy()
    pixels[5, 5], pixels[6, 6] = 3.0, np.nan
    plain = np.where(np.isnan(pixels), 0, pixels).clip(0, 1).astype(np.float32)
    way = Deconvolver(LINE, method="wiener")
    wanted = way.restore(Picture(plain, "tiff")).pixels
    wanted[5, 5] += 2.0
    found = way.restore(Picture(pixels, "tiff")).pixels
    assert np.isnan(found[6, 6]).all()
    wanted[6, 6] = found[6, 6]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_pictures_too_large_for_the_memory_are_refused(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = golf(width=2, corrector_width=2).eval() if method == "prior" else None
    way = Deconvolver(LINE, method=method, network=network, device="cpu")
    assert way.memory_need(4000, 6000) > 24e6 * 100
    monkeypatch.setattr(deconvolving, "available_memory", lambda: 100_000)
    with pytest.raises(RestorationError, match=r"30 x 24 pixels take about .* GB .* crop the picture"):
        way.restore(Picture(PIXELS, "tiff"))


def test_mistakes_are_told() -> None:
    with pytest.raises(RestorationError, match="no method 'magic': choose tv, wiener"):
        Deconvolver(LINE, method="magic")
    with pytest.raises(RestorationError, match="this is no Golf Optimizer"):
        Deconvolver(LINE, method="prior", network=create("srresnet", {"blocks": 1, "width": 4}))
    with pytest.raises(RestorationError, match="iterations 0 is not possible"):
        Deconvolver(LINE, iterations=0)
