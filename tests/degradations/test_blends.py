from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from unblemish.degradations.blends import BIN_EDGES, SCORES, Blend, Chain, Severity, level_triples, value_at
from unblemish.degradations.blur import GaussianBlur
from unblemish.degradations.compression import Jpeg
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.noise import GaussianNoise

EDGES = (
    [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5],
    [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50],
    [100, 80, 60, 50, 40, 35, 30, 25, 20, 15, 10],
)


@pytest.mark.parametrize(
    ("severity", "count", "mean"), [("mild", 163, 4.04), ("moderate", 434, 5.5), ("severe", 163, 6.96)]
)
def test_counts_and_mean_levels_are_the_published_ones(severity: Severity, count: int, mean: float) -> None:
    triples = level_triples(severity)
    assert triples.shape == (count, 3)
    assert len({tuple(row) for row in triples.tolist()}) == count
    assert triples.min() >= 1
    assert triples.max() <= 10
    assert triples.double().mean().item() == pytest.approx(mean, abs=0.005)


def test_severities_do_not_overlap() -> None:
    every = [tuple(row) for severity in SCORES for row in level_triples(severity).tolist()]
    assert len(every) == len(set(every)) == 760


def test_bins_have_the_published_edges() -> None:
    for mine, published in zip(BIN_EDGES.values(), EDGES, strict=True):
        assert list(mine) == published
        assert value_at(mine, torch.arange(11.0)).tolist() == published
        assert value_at(mine, torch.tensor([2.5])).item() == (published[2] + published[3]) / 2


@pytest.mark.parametrize("severity", SCORES)
def test_drawn_values_come_from_triples_of_the_severity(severity: Severity) -> None:
    drawn = Blend(severity).sample(4000, torch.Generator().manual_seed(0))
    assert drawn["3.quality"].equal(drawn["3.quality"].round())
    allowed = set(map(tuple, level_triples(severity).tolist()))
    seen: set[tuple[int, ...]] = set()
    for values in zip(drawn["1.sigma"].tolist(), drawn["2.sigma"].tolist(), drawn["3.quality"].tolist(), strict=True):
        # A quality on an edge belongs to either neighbour, since it was rounded.
        levels = [
            [k for k in range(1, 11) if min(edges[k - 1 : k + 1]) <= value <= max(edges[k - 1 : k + 1])]
            for value, edges in zip(values, EDGES, strict=True)
        ]
        possible = set(product(*levels)) & allowed
        assert possible
        if len(possible) == 1:
            seen |= possible
    assert len(seen) > 0.9 * len(allowed)


def test_triples_and_places_in_bins_are_uniform() -> None:
    drawn = Blend("moderate").sample(20000, torch.Generator().manual_seed(1))
    level = (drawn["1.sigma"] * 2).floor()
    triples = level_triples("moderate")
    for k in range(1, 11):
        share = (triples[:, 0] == k).double().mean().item()
        assert ((level == k - 1).double().mean().item() - share) == pytest.approx(0, abs=5 * (share / 20000) ** 0.5)
    place = drawn["2.sigma"] / 5 % 1
    assert place.mean().item() == pytest.approx(0.5, abs=5 * (1 / 12 / 20000) ** 0.5)


def test_the_order_is_blur_noise_jpeg(photograph: Tensor) -> None:
    blend = Blend("severe")
    parameters = blend.sample(1, torch.Generator().manual_seed(2))
    blurred = GaussianBlur(21, "replicate").apply(photograph, {"sigma": parameters["1.sigma"]}, torch.Generator())
    noisy = GaussianNoise().apply(blurred, {"sigma": parameters["2.sigma"]}, torch.Generator().manual_seed(7))
    jpeg = Jpeg().fixed(1, quality=parameters["3.quality"].item())
    expected = Jpeg().apply(noisy, jpeg, torch.Generator())
    assert torch.equal(blend.apply(photograph, parameters, torch.Generator().manual_seed(7)), expected)


@pytest.mark.parametrize("scene", ["haze", "darkness", "rain"])
def test_the_scene_comes_first(scene: str) -> None:
    blend = Blend("mild", scene)
    assert [member.name for member in blend.members] == [scene, "gaussian_blur", "gaussian_noise", "jpeg"]
    assert blend.name == f"mild_blend_with_{scene}"
    drawn = blend.sample(50, torch.Generator().manual_seed(0))
    assert drawn["2.sigma"].max() <= 5.0
    assert drawn["3.sigma"].max() > 5.0


def test_severer_blends_do_more_harm(photograph: Tensor) -> None:
    errors = []
    for severity in SCORES:
        blend, clean = Blend(severity), photograph.repeat(24, 1, 1, 1)
        damaged = blend.apply(
            clean, blend.sample(24, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(0)
        )
        errors.append((damaged - clean).square().mean().item())
    assert errors[0] < errors[1] < errors[2]


def test_defaults_are_the_mean_levels() -> None:
    parameters = Blend("moderate").fixed(1)
    assert [parameters[key].item() for key in ("1.sigma", "2.sigma", "3.quality")] == [2.5, 25.0, 35.0]


def test_unknown_words_are_refused() -> None:
    with pytest.raises(DegradationError, match="severity of a blend is called 'awful'; known are: mild, moderate"):
        Blend("awful")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DegradationError, match="scene of a blend is called 'fog'; known are: none, haze"):
        Blend("mild", "fog")


def test_a_chain_applies_its_members_in_order_with_their_own_parameters(photograph: Tensor) -> None:
    chain = Chain([GaussianNoise(), Jpeg(), GaussianNoise()])
    parameters = chain.fixed(1, **{"1.sigma": 10, "2.quality": 15, "3.sigma": 30})
    generator = torch.Generator().manual_seed(0)
    expected = GaussianNoise().apply(photograph, {"sigma": torch.tensor([10.0])}, generator)
    expected = Jpeg().apply(expected, Jpeg().fixed(1, quality=15), generator)
    expected = GaussianNoise().apply(expected, {"sigma": torch.tensor([30.0])}, generator)
    assert torch.equal(chain.apply(photograph, parameters, torch.Generator().manual_seed(0)), expected)
    assert chain.name == "gaussian_noise+jpeg+gaussian_noise"


def test_a_chain_draws_as_its_members_do() -> None:
    """The levels of a blend stay a triple of its severity where the blend is a member of a chain."""
    chain, blend = Chain([Blend("severe", "rain"), Jpeg()]), Blend("severe", "rain")
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))
    drawn, alone = chain.sample(50, one), blend.sample(50, other)
    assert list(drawn) == list(chain.specs)
    assert all(torch.equal(drawn[f"1.{key}"], values) for key, values in alone.items())
    assert torch.equal(drawn["2.quality"], Jpeg().sample(50, other)["quality"])


def test_qualities_differ_within_a_batch(photograph: Tensor) -> None:
    blend = Blend("mild")
    same = photograph[..., :32, :32].repeat(2, 1, 1, 1)
    base = {**blend.fixed(2), "1.sigma": torch.zeros(2), "2.sigma": torch.zeros(2)}
    damaged = blend.apply(same, {**base, "3.quality": torch.tensor([90.0, 10.0])}, torch.Generator())
    errors = (damaged - same).square().flatten(1).mean(1)
    assert errors[0] * 4 < errors[1]


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Chain([])
