from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from unblemish.lifelong import replay_task
from unblemish.lifelong.damage_strengths import strengths_apart
from unblemish.lifelong.errors import LifelongError
from unblemish.lifelong.replay_task import ReplayTask
from unblemish.networks.base import Network
from unblemish.networks.catalogue import create
from unblemish.networks.replay_generator import replay_generator
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.methods import build_task
from unblemish.studies.runs import rehearse
from unblemish.studies.study import StudyRun
from unblemish.training.lifelong_part import ReplayPart
from unblemish.training.recipe import Recipe
from unblemish.training.task import Batch
from unblemish.training.validation import Validation

CPU = torch.device("cpu")


class Root(Network):
    """Undoes a gamma of 2."""

    def transform(self, x: Tensor) -> Tensor:
        return x.clamp(min=1e-3).sqrt()


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.square()


def batch(seed: int, side: int = 24) -> Batch:
    clean = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return Batch(clean.square(), clean)


def task(restorer: Network | None = None, random: bool = False, **part: Any) -> ReplayTask:
    torch.manual_seed(0)
    generator = replay_generator(width=4, blocks=1, random=random)
    restorer = restorer or create("srresnet_compact", {"blocks": 1, "width": 8})
    content: dict[str, Any] = {
        "stage": "replay", "restorer": Path("none"), "discriminator_width": 4, "discriminator_rate": 0.01, "pool": 3
    }  # fmt: skip
    return ReplayTask(generator, restorer, ReplayPart(**{**content, **part}))


def weights(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(ones: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ones, others, strict=True))


@pytest.mark.parametrize("adversarial", ["least_squares", "log"])
def test_a_step_is_eq_15_to_17(adversarial: str) -> None:
    ours, pair = task(adversarial=adversarial, pool=0, cycle_weight=4.0), batch(0)
    judge, damaged = copy.deepcopy(ours.discriminator).requires_grad_(True), ours.network(pair.clean)
    real, fake = judge(pair.degraded), judge(damaged.detach())
    if adversarial == "log":
        judging = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())
    else:
        judging = (real - 1).square().mean() + fake.square().mean()
    adam = torch.optim.Adam(judge.parameters(), 0.01, (0.5, 0.999))
    (0.5 * judging).backward()
    adam.step()
    fake = judge(damaged)
    deceiving = -fake.sigmoid().log().mean() if adversarial == "log" else (fake - 1).square().mean()
    cycle = (ours.restorer(damaged) - pair.clean).abs().mean()

    terms = ours.step(pair)
    for mine, other in zip(ours.discriminator.parameters(), judge.parameters(), strict=True):
        mean = adam.state[other]["exp_avg"]  # half the gradient; a first step of Adam shows no more than its sign
        torch.testing.assert_close(ours._adam.state[mine]["exp_avg"], mean, rtol=1e-3, atol=1e-5)
    expected = {"discriminator": 0.5 * judging, "adversarial": deceiving, "cycle": cycle, "output": damaged}
    for name, value in {**expected, "loss": deceiving + 4 * cycle}.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-4, atol=1e-5)
    assert [name for name, value in terms.items() if value.requires_grad] == ["loss", "output"]


def test_strengths_of_damage_are_matched_by_their_weight() -> None:
    ours, pair = task(random=True, matching_weight=3.0, paired=True, pool=2), batch(0)
    damaged = ours.network(pair.clean)
    terms = ours.step(pair)
    matching = strengths_apart(damaged, pair.degraded, pair.clean)
    matching += strengths_apart(ours.restorer(damaged), ours.restorer(pair.degraded), pair.clean)
    torch.testing.assert_close(terms["matching"], matching)
    loss = terms["adversarial"] + 10 * terms["cycle"] + 3 * terms["matching"]
    torch.testing.assert_close(terms["loss"], loss)
    assert not terms["matching"].requires_grad


def test_a_paired_discriminator_sees_each_patch_beside_its_clean_one() -> None:
    ours = task(paired=True, pool=1)
    seen: list[tuple[Tensor, Tensor]] = []
    ours.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given))
    pairs, damaged = [batch(0), batch(1)], []
    for pair in pairs:
        damaged.append(ours.network(pair.clean))
        ours.step(pair)
    clean = {id(one): one for pair in pairs for one in pair.clean}
    fakes = [one for batch in damaged for one in batch]
    for (real, beside), (shown, before), (_, after), pair in zip(seen[::3], seen[1::3], seen[2::3], pairs, strict=True):
        assert torch.equal(real, pair.degraded)
        assert torch.equal(beside, pair.clean)
        assert torch.equal(after, pair.clean)
        for one, other in zip(shown, before, strict=True):
            (number,) = [n for n, y in enumerate(clean.values()) if torch.equal(y, other)]
            torch.testing.assert_close(one, fakes[number])


def test_the_generator_alone_gets_gradients() -> None:
    ours = task()
    restorer, judge = weights(ours.restorer), weights(ours.discriminator)
    ours.step(batch(0))["loss"].backward()
    assert {id(p) for p in ours.trainable()} == {id(p) for p in ours.network.parameters()}
    assert all(p.grad is not None for p in ours.trainable())
    assert all(p.grad is None for part in (ours.restorer, ours.discriminator) for p in part.parameters())
    assert same(restorer, weights(ours.restorer))
    assert not any(torch.equal(*pair) for pair in zip(judge, weights(ours.discriminator), strict=True))


def test_gradients_reach_the_generator_through_the_restorer() -> None:
    found = []
    for restorer in (Root(), create("srresnet_compact", {"blocks": 1, "width": 8})):
        ours = task(restorer, discriminator_rate=1e-9)
        ours.step(batch(0))["loss"].backward()
        found.append([p.grad for p in ours.trainable()])
    assert not torch.allclose(found[0][-1], found[1][-1])


def test_the_restorer_stays_in_evaluation_mode() -> None:
    ours = task().train()
    assert ours.network.training
    assert not any(module.training for module in ours.restorer.modules())
    assert not ours.eval().network.training


def test_autocast_shows_the_generator_the_discriminator_as_it_has_become() -> None:
    ours = task(discriminator_rate=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        terms = ours.step(batch(0))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        expected = (ours.discriminator(terms["output"]) - 1).square().mean()
    assert torch.equal(terms["adversarial"], expected)
    assert {value.dtype for value in terms.values()} == {torch.float32}


RANDOM = {"random": True, "paired": True, "details": True, "matching_weight": 1.0}


@pytest.mark.parametrize("options", [{}, RANDOM])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_its_state_goes_on_bit_for_bit(precision: torch.dtype, options: dict[str, Any]) -> None:
    def learn(one: ReplayTask, step: int) -> dict[str, Tensor]:
        torch.manual_seed(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            terms = one.step(batch(step))
        terms["loss"].backward()
        with torch.no_grad():
            for parameter in one.trainable():
                parameter -= 1e-3 * cast(Tensor, parameter.grad)
                parameter.grad = None
        return terms

    whole, file = task(**options), io.BytesIO()
    for step in range(4):
        learn(whole, step)
    torch.save(whole.state_dict(), file)
    file.seek(0)
    resumed = task(create("srresnet_compact", {"blocks": 1, "width": 8}), **options)
    with torch.no_grad():
        for parameter in resumed.parameters():
            parameter.zero_()
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for step in (4, 5):
        one, other = learn(whole, step), learn(resumed, step)
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert same(weights(whole), weights(resumed))


def test_optimiser_settings_stay_the_recipes() -> None:
    slow, fast = task(discriminator_rate=1e-9), task()
    fast.step(batch(0))
    slow.load_state_dict(fast.state_dict())
    before = weights(slow.discriminator)
    slow.step(batch(1))
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(before, weights(slow.discriminator), strict=True))


@pytest.fixture
def validation(photos: Path) -> Callable[..., Validation]:
    def make(*names: str, crop: int = 32) -> Validation:
        return Validation(find_pictures(photos), crop=crop, names=names, seed=0)

    return make


def test_scores_compare_with_real_damage(validation: Callable[..., Validation]) -> None:
    pictures = validation("darkness:gamma=2", "gaussian_noise:sigma=50")
    scores = task(Root()).score(nn.Identity(), pictures, CPU)
    assert list(scores) == ["damage", "restored", "real_damage", "real_restored", "gain"]
    own = Root()(pictures.clean)
    expected = {"damage": [pictures.clean], "restored": [own], "real_damage": [], "real_restored": []}
    for name in list(pictures.degraded)[:2]:
        expected["real_damage"].append(pictures.degraded[name])
        expected["real_restored"].append(Root()(pictures.degraded[name]))
    for name, found in expected.items():
        values = torch.cat([pictures.psnr(x, pictures.clean) for x in found])
        assert scores[name] == pytest.approx(values.mean().item())
    apart = abs(100 - scores["real_damage"]) + abs(scores["restored"] - scores["real_restored"])
    assert scores["damage"] == 100
    assert scores["gain"] == pytest.approx(-apart)


def test_damage_like_the_real_one_is_best(validation: Callable[..., Validation]) -> None:
    scores = task(Root()).score(Square(), validation("darkness:gamma=2"), CPU)
    assert scores["gain"] == pytest.approx(0, abs=1e-6)
    assert scores["real_damage"] < 20
    assert scores["real_restored"] > 40


def test_a_batch_is_clean_pictures_with_all_their_damage(
    validation: Callable[..., Validation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_task, "BATCH", 4)
    pictures = validation("darkness", "jpeg")
    sizes: list[int] = []

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            sizes.append(len(x))
            return x

    ours = task(Root())
    ours.score(Counting(), pictures, CPU)
    assert sizes == [4, 2]
    scores = ours.score(Counting(), pictures, CPU, batches=1)
    assert sizes == [4, 2, 4]
    real = [pictures.psnr(pictures.degraded[name][:4], pictures.clean[:4]) for name in ("darkness", "jpeg")]
    assert scores["real_damage"] == pytest.approx(torch.cat(real).mean().item())


def test_without_damage_there_is_nothing_to_learn(validation: Callable[..., Validation]) -> None:
    with pytest.raises(LifelongError, match=r"give degradations\.names or data.pairs"):
        task().score(nn.Identity(), validation(), CPU)


def test_it_learns_to_darken(validation: Callable[..., Validation]) -> None:
    pictures = validation("darkness:gamma=2", crop=24)
    ours, clean = task(Root(), discriminator_rate=2e-3, pool=50), pictures.clean
    adam = torch.optim.Adam(ours.trainable(), 1e-2, (0.5, 0.999))
    before = ours.score(ours.network, pictures, CPU)
    for _ in range(40):
        ours.step(Batch(pictures.degraded["darkness:gamma=2"], clean))["loss"].backward()
        adam.step()
        adam.zero_grad()
    after = ours.score(ours.network, pictures, CPU)
    assert after["gain"] > before["gain"] + 5
    assert abs(after["damage"] - after["real_damage"]) < abs(before["damage"] - before["real_damage"])


def test_a_rehearsal_goes_through(lira_recipe: Callable[..., Recipe], old: Path, tmp_path: Path) -> None:
    """Studies try each arm without gradients before the first training."""
    part = {"stage": "replay", "restorer": str(old), "discriminator_width": 4}
    network = {"name": "replay_generator", "options": {"width": 4, "blocks": 1}}
    rehearse(StudyRun("arm", 0, lira_recipe(network=network, lifelong=part), tmp_path), build_task)
