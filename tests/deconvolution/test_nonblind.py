from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unblemish.deconvolution.errors import DeconvolutionError
from unblemish.deconvolution.nonblind import deconvolve
from unblemish.deconvolution.observation import Observation
from unblemish.degradations.blur import line_kernels

LINE = line_kernels(torch.tensor([9.0]), torch.tensor([30.0]))[0].double()  # (K, K)


def roughness(x: Tensor) -> Tensor:
    """The gradient of 1/16 sum |differences of neighbours|^2, the factor making its norm at most 1."""
    rows, columns = torch.diff(x, dim=-2), torch.diff(x, dim=-1)
    slope = torch.zeros_like(x)
    slope[..., 1:, :] += rows
    slope[..., :-1, :] -= rows
    slope[..., 1:] += columns
    slope[..., :-1] -= columns
    return slope / 8


def scene(seed: int = 0, height: int = 48, width: int = 60) -> Tensor:
    """Squares all over, brighter below than above: `(1, 3, H, W)`."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.linspace(0.1, 0.6, height + 20, dtype=torch.float64)[:, None].repeat(1, width + 20).expand(1, 3, -1, -1)
    x = x.clone()
    for _ in range(height * width // 60):
        top, left = (int(torch.randint(side + 10, (), generator=draw)) for side in (height, width))
        x[..., top : top + 10, left : left + 10] += 0.3 * torch.rand(1, 3, 1, 1, generator=draw, dtype=torch.float64)
    return (x % 1)[..., 10:-10, 10:-10].contiguous()


@pytest.fixture
def blurred() -> tuple[Tensor, Tensor]:
    """A sharp picture, and the same blurred by `LINE` with a little noise."""
    whole = scene()
    edge = len(LINE) // 2
    sharp = whole[..., edge:-edge, edge:-edge]
    observation = Observation(sharp, LINE)
    noise = torch.randn(sharp.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return sharp, observation.blur(whole) + 0.002 * noise


def error(found: Tensor, sharp: Tensor) -> float:
    return float((found - sharp).square().mean().sqrt())


def test_a_quadratic_prior_gives_the_closed_form() -> None:
    whole = scene(height=13, width=15)
    kernel = LINE[3:-3, 3:-3] / LINE[3:-3, 3:-3].sum()
    edge = len(kernel) // 2
    y = Observation(whole[..., edge:-edge, edge:-edge], kernel).blur(whole)
    observation = Observation(y, kernel)
    basis = torch.eye(13 * 15, dtype=torch.float64).reshape(-1, 1, 13, 15)
    blur = torch.stack([Observation(y[:, :1], kernel).blur(one[None])[0, 0].flatten() for one in basis], 1)
    weight = 0.1
    solved = torch.linalg.solve(blur.T @ blur + weight * torch.eye(13 * 15), blur.T @ y.reshape(3, -1).T)  # (N, 3)
    wanted = observation.picture(solved.T.reshape(1, 3, 13, 15))
    for momentum in (False, True):
        found = deconvolve(y, kernel, lambda x: x, weight=weight, iterations=400, momentum=momentum)
        torch.testing.assert_close(found.picture, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_identity_returns_the_picture(dtype: torch.dtype) -> None:
    y = scene().to(dtype)
    kernel = torch.zeros(5, 5)
    kernel[2, 2] = 1
    found = deconvolve(y, kernel, roughness, weight=0, iterations=5).picture
    assert found.dtype == dtype
    torch.testing.assert_close(found, y, rtol=0, atol=1e-6)


def test_it_sharpens(blurred: tuple[Tensor, Tensor]) -> None:
    sharp, y = blurred
    found = deconvolve(y, LINE, roughness, weight=0.002, iterations=60, momentum=True)
    assert error(found.picture, sharp) < 0.6 * error(y, sharp)


def test_borders_do_not_ring(blurred: tuple[Tensor, Tensor]) -> None:
    sharp, y = blurred
    squared = (deconvolve(y, LINE, roughness, weight=0.002, iterations=60, momentum=True).picture - sharp).square()
    inner = squared[..., 8:-8, 8:-8]
    border = (squared.sum() - inner.sum()) / (squared.numel() - inner.numel())
    assert border < 3 * inner.mean()


def test_an_even_picture_stays_even() -> None:
    y = torch.full((1, 3, 20, 24), 0.6)
    found = deconvolve(y, LINE, roughness, weight=0.01, iterations=20).picture
    torch.testing.assert_close(found, y, rtol=0, atol=1e-5)


def test_more_of_a_smoothing_prior_is_smoother(blurred: tuple[Tensor, Tensor]) -> None:
    _, y = blurred
    rough = [
        float(torch.diff(deconvolve(y, LINE, roughness, weight=weight, iterations=40).picture).square().sum())
        for weight in (0.0, 0.01, 0.1, 1.0)
    ]
    assert rough == sorted(rough, reverse=True)


def test_the_history_tells_each_picture_apart(blurred: tuple[Tensor, Tensor]) -> None:
    _, y = blurred
    both = torch.cat([y, y.flip(3)])
    kernels = torch.stack([LINE, LINE.flip(1)])
    found = deconvolve(both, kernels, roughness, weight=0.01, iterations=12)
    alone = deconvolve(y, LINE, roughness, weight=0.01, iterations=12)
    assert found.residuals.shape == found.updates.shape == (12, 2)
    torch.testing.assert_close(found.picture[:1], alone.picture)
    torch.testing.assert_close(found.residuals[:, 0], alone.residuals[:, 0])
    torch.testing.assert_close(found.picture[1:], alone.picture.flip(3), rtol=0, atol=1e-9)
    assert (found.residuals.diff(dim=0) < 0).all()
    assert found.updates[-1].max() < found.updates[0].min()


def test_the_residual_is_that_of_the_result() -> None:
    y = scene(1)
    kernel = torch.ones(1, 1)
    found = deconvolve(y, kernel, lambda x: x, weight=0.5, iterations=7, momentum=True)
    torch.testing.assert_close(found.residuals[-1], (found.picture - y).flatten(1).norm(dim=1))


def test_it_stops_where_nothing_moves_and_tells_how_far_it_is(blurred: tuple[Tensor, Tensor]) -> None:
    _, y = blurred
    shares: list[float] = []
    found = deconvolve(
        y, LINE, roughness, weight=0.1, iterations=200, tolerance=1e-3, on_progress=shares.append
    )  # fmt: skip
    assert 2 < len(found.updates) < 200
    assert found.updates[-1] < 1e-3 <= found.updates[-2]
    assert shares == [number / 200 for number in range(1, len(found.updates) + 1)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, "weight -1"),
        ({"weight": 0.1, "step": 0.0}, "step 0"),
        ({"weight": 0.1, "iterations": 0}, "0 iterations"),
        ({"weight": 0.1, "step": 1e9, "iterations": 500}, "run away"),
    ],
)
def test_what_is_not_possible_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(DeconvolutionError, match=message):
        deconvolve(scene().float(), LINE, roughness, **options)  # pyright: ignore
