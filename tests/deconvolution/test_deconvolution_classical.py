from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from unblemish.deconvolution import classical
from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.degradations.blur import line_kernels
from unblemish.degradations.filter_flow import convolved_inside

Floats = classical.Floats
LINE = line_kernels(torch.tensor([9.0]), torch.tensor([30.0]))[0].double()  # (K, K)
WAYS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "wiener": partial(classical.wiener, weight=0.003),
    "richardson_lucy": partial(classical.richardson_lucy, iterations=20),
    "tv": partial(classical.total_variation, weight=0.0005, iterations=30),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def pictures() -> tuple[Floats, Floats]:
    """Squares all over, brighter above than below, and what remains of them blurred and with little noise."""
    draw = torch.Generator().manual_seed(0)
    whole = torch.linspace(0.9, 0.2, 100, dtype=torch.float64)[:, None].expand(3, 100, 110).clone()
    for _ in range(100):
        top, left = (int(torch.randint(side, (), generator=draw)) for side in (90, 100))
        whole[:, top : top + 12, left : left + 12] = torch.rand(3, 1, 1, generator=draw, dtype=torch.float64)
    whole = whole[:, 10:-10, 10:-10]
    seen = convolved_inside(whole, LINE)
    seen += 0.002 * torch.randn(seen.shape, generator=draw, dtype=torch.float64)
    edge = len(LINE) // 2
    return whole[:, edge:-edge, edge:-edge].permute(1, 2, 0).numpy(), seen.permute(1, 2, 0).numpy()


SHARP, SEEN = pictures()


def decibels(found: Floats, part: tuple[slice, ...] = (slice(None),)) -> float:
    return float(-10 * np.log10(np.square(found - SHARP)[part].mean()))


@every_way
def test_it_sharpens(way: Callable[[Floats, Floats], Floats]) -> None:
    found = way(SEEN, LINE.numpy())
    assert found.shape == SEEN.shape
    assert found.dtype == np.float64
    assert decibels(found) > decibels(SEEN) + 2.5


@every_way
def test_borders_do_not_ring(way: Callable[[Floats, Floats], Floats]) -> None:
    found = way(SEEN, LINE.numpy())
    for border in (slice(0, 3), slice(-3, None)):
        for part in ((border,), (slice(None), border)):
            assert decibels(found, part) > decibels(SEEN, part) + 1


@every_way
def test_the_kernel_lies_as_in_its_file(way: Callable[[Floats, Floats], Floats]) -> None:
    point = np.zeros((31, 33, 1))
    point[15, 16] = 1
    kernel = np.zeros((5, 7))
    kernel[1, 5], kernel[3, 2] = 0.7, 0.3
    seen = np.zeros_like(point)
    seen[13:18, 13:20, 0] = kernel
    found = way(seen, kernel)
    assert np.unravel_index(found.argmax(), found.shape) == (15, 16, 0)


def test_colours_are_treated_on_their_own() -> None:
    one = classical.wiener(SEEN[..., 1:2], LINE.numpy(), weight=0.01)
    np.testing.assert_allclose(classical.wiener(SEEN, LINE.numpy(), weight=0.01)[..., 1:2], one)


def test_more_weight_is_smoother() -> None:
    for way in (classical.wiener, partial(classical.total_variation, iterations=10)):
        rough = [float(np.abs(np.diff(way(SEEN, LINE.numpy(), weight=w), axis=0)).sum()) for w in (0.0005, 0.005, 0.05)]
        assert rough == sorted(rough, reverse=True)


def test_total_variation_tells_how_far_it_is() -> None:
    shares: list[float] = []
    classical.total_variation(SEEN, LINE.numpy(), weight=0.001, iterations=2, on_progress=shares.append)
    assert shares == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])


@every_way
def test_without_scikit_image_the_remedy_is_named(
    way: Callable[[Floats, Floats], Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(DeconvolutionError, match="unblemish\\[compare\\]"):
        way(SEEN, LINE.numpy())
