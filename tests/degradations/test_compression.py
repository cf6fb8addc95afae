from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from unblemish.degradations.compression import SUBSAMPLINGS, Jpeg, jpeg_round_trip
from unblemish.degradations.quantisation import quantise_8bit


@pytest.mark.parametrize("quality", [10, 20, 40, 95])
def test_it_is_opencvs_codec(
    pixels: np.ndarray, photograph: Tensor, damage: Callable, as_image: Callable, quality: int
) -> None:
    _, stream = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    expected = cv2.imdecode(stream, cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    ours = np.rint(as_image(damage(Jpeg(), photograph, quality=quality)) * 255).astype(int)
    # Two builds of libjpeg may differ by their transforms' rounding, hence by one level now and then.
    assert np.abs(ours - expected).max() <= 2
    assert np.abs(ours - expected).mean() < 0.05


def test_result_is_on_the_8_bit_levels(photograph: Tensor, damage: Callable) -> None:
    damaged = damage(Jpeg(), photograph)
    assert torch.equal(damaged, quantise_8bit(damaged))


def test_each_picture_has_its_own_quality(photograph: Tensor, damage: Callable, psnr: Callable) -> None:
    pair = photograph.repeat(2, 1, 1, 1)
    parameters = {"quality": torch.tensor([10.0, 90.0]), "subsampling": torch.tensor([0.0, 2.0])}
    mixed = Jpeg().apply(pair, parameters, torch.Generator())
    assert torch.equal(mixed[:1], damage(Jpeg(), photograph, quality=10))
    assert torch.equal(mixed[1:], damage(Jpeg(), photograph, quality=90, subsampling="4:4:4"))
    assert psnr(mixed[1:], photograph) > psnr(mixed[:1], photograph) + 5.0


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_subsampling_is_pillows(pixels: np.ndarray, subsampling: str) -> None:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=50, subsampling=SUBSAMPLINGS[::-1].index(subsampling))
    with Image.open(stream) as decoded:
        assert np.array_equal(np.asarray(decoded), jpeg_round_trip(pixels, 50, subsampling))
