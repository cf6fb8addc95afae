from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from unblemish.deconvolution.two_pixels import (
    READINGS,
    accuracy,
    analytic_prior,
    blurry,
    descent,
    discriminative_prior,
    draw,
    integrated,
    lengths_by_distance,
    perceptron,
    reflected,
    score_step,
    square_grid,
    train_classifier,
    train_descent,
)


def pictures(count: int, seed: int = 0) -> Tensor:
    return draw(count, "blurry", torch.Generator().manual_seed(seed))


def test_the_network_has_the_published_parameters() -> None:
    layers = [layer for layer in perceptron(0) if isinstance(layer, torch.nn.Linear)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == [12, 40, 36, 8]
    assert [layer.out_features for layer in layers] == [4, 8, 4, 2]


def test_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = perceptron(1)
    assert torch.equal(torch.rand(2), expected)
    again, other = perceptron(1), perceptron(2)
    assert torch.equal(first[0].weight, again[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_pictures_are_uniform_on_their_domain() -> None:
    u = pictures(4000)
    assert blurry(u).all()
    assert u.abs().max() <= 1
    assert -u.sum(-1).mean() == pytest.approx(2 / 3, abs=0.02)
    everywhere = draw(4000, "square", torch.Generator().manual_seed(0))
    assert blurry(everywhere).float().mean() == pytest.approx(0.5, abs=0.03)


def test_reflection_is_at_the_line() -> None:
    u = pictures(50)
    mirror = reflected(u)
    assert torch.equal(reflected(mirror), u)
    assert not blurry(mirror).any()
    torch.testing.assert_close((u + mirror).sum(-1), torch.zeros(50))  # the middle is on the line
    torch.testing.assert_close((u - mirror)[:, 0], (u - mirror)[:, 1])  # and the way is across it


def test_the_analytic_prior_steps_onto_the_reflection() -> None:
    u = pictures(100)
    step = descent(analytic_prior, u)
    torch.testing.assert_close(u + step, reflected(u))
    assert score_step(u, step).total == pytest.approx(0, abs=1e-12)


def test_scores_are_squared_distances() -> None:
    u = torch.tensor([[-0.5, -0.25], [-1.0, 0.5]])
    found = score_step(u, torch.ones(2, 2))  # the reflections are 0.75 and 0.5 away in each pixel
    assert found.total == pytest.approx((2 * 0.25**2 + 2 * 0.5**2) / 2)
    assert found.pixel == pytest.approx(found.total / 2)
    assert found.best_scale == pytest.approx(0.625)
    assert found.best_total == pytest.approx(2 * 0.125**2)
    still = score_step(u, torch.zeros(2, 2))
    assert (still.best_scale, still.best_total) == (0.0, still.total)


def test_no_constant_step_is_better_than_four_ninths() -> None:
    u = pictures(20_000)
    found = score_step(u, torch.ones_like(u))
    assert found.best_total == pytest.approx(4 / 9, rel=0.05)
    assert score_step(u, 0 * u).total == pytest.approx(4 / 3, rel=0.05)


def test_lengths_are_sorted_by_the_distance_to_the_line() -> None:
    u = torch.tensor([[0.0, -0.1], [-0.2, -0.2], [-0.9, -0.8]])
    found = lengths_by_distance(u, torch.tensor([[3.0, 4.0], [0.0, 1.0], [2.0, 0.0]]))
    assert found == [3.0, None, None, 2.0]


def test_readings_of_a_classifier() -> None:
    logits = torch.tensor([[1.0, 3.0]])
    assert READINGS["logit"](logits).item() == 3
    assert READINGS["logit_difference"](logits).item() == 2
    assert READINGS["softmax"](logits).item() == pytest.approx(1 / (1 + math.exp(-2)))


def test_a_classifier_learns_and_its_gradient_does_not_grow_with_the_distance() -> None:
    classifier, u = train_classifier(0, samples=8000), pictures(500, seed=1)
    assert accuracy(classifier, draw(500, "square", torch.Generator().manual_seed(2))) > 0.95
    steps = {name: descent(discriminative_prior(classifier, name), u) for name in READINGS}
    near, *_, far = lengths_by_distance(u, steps["logit"])
    assert near is not None
    assert far is not None
    assert near >= 0.9 * far  # it should be seven times as long where the way is seven times as far
    assert (steps["logit_difference"].sum(-1) > 0).all()  # towards the sharp side
    faint = lengths_by_distance(u, steps["softmax"])[-1]
    assert faint is not None
    assert faint < 1e-3


def test_a_learnt_step_reaches_the_sharp_pictures() -> None:
    u = pictures(500, seed=1)
    network = train_descent(0, "blurry", samples=8000)
    assert score_step(u, network(u).detach()).total < 0.02


def test_training_repeats_with_its_seed() -> None:
    first, again = (train_descent(5, "square", samples=80) for _ in range(2))
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_gradient_is_integrated_exactly() -> None:
    grid = square_grid(15)
    surface, rest = integrated(grid.sum(-1, keepdim=True).expand(-1, -1, 2))  # the gradient of the analytic prior
    expected = analytic_prior(grid)
    torch.testing.assert_close(surface, expected - expected.mean())
    assert rest == pytest.approx(0, abs=1e-9)


def test_a_whirl_is_no_gradient() -> None:
    grid = square_grid(21)
    surface, rest = integrated(torch.stack([-grid[..., 1], grid[..., 0]], -1))
    assert rest > 0.5
    assert surface.mean() == pytest.approx(0, abs=1e-12)


def test_integration_is_the_least_squares_solution() -> None:
    side = 5
    field = torch.randn(side, side, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found, rest = integrated(field)
    rows, wanted = [], []
    for i in range(side):
        for j in range(side):
            for axis, (k, m) in enumerate(((i + 1, j), (i, j + 1))):
                if max(k, m) < side:
                    row = torch.zeros(side, side, dtype=torch.float64)
                    row[k, m], row[i, j] = 1, -1
                    rows.append(row.flatten())
                    wanted.append((field[i, j, axis] + field[k, m, axis]) / 2 * 2 / (side - 1))
    matrix, target = torch.stack(rows), torch.stack(wanted)
    solution = torch.linalg.lstsq(matrix, target[:, None], driver="gelsd").solution.view(side, side)
    torch.testing.assert_close(found, solution - solution.mean())
    left = target - matrix @ solution.flatten()
    assert rest == pytest.approx((left.norm() / target.norm()).item())
