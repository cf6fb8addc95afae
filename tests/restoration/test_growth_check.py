from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.networks.lira import Lira, lira_compact
from unblemish.networks.replay_generator import ReplayGenerator, replay_generator
from unblemish.restoration.growth_check import (
    GrowthRefusedError,
    Retention,
    held_out_crops,
    measure_retention,
    require_retention,
)
from unblemish.training.recipe import Recipe
from unblemish.training.validation import Validation

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def crops(recipe: Callable[..., Recipe]) -> Validation:
    return held_out_crops(recipe(validation__pictures=2))


def networks(grown: int) -> Lira:
    torch.manual_seed(0)
    return lira_compact(width=16, coarse_width=16, experts=1, blocks=2, grown=grown).eval()


def generators(count: int) -> list[ReplayGenerator]:
    torch.manual_seed(1)
    made = [replay_generator(width=4, blocks=1).eval() for _ in range(count)]
    for number, one in enumerate(made):
        assert one.ending.bias is not None
        one.ending.bias.data.fill_(0.3 * number)  # so that they differ
    return made


def test_the_same_network_loses_nothing(crops: Validation) -> None:
    old = networks(1)
    found = measure_retention(old, old, generators(2), ["a", "b"], crops)
    assert [one.task for one in found] == ["a", "b"]
    assert [one.loss for one in found] == [0, 0]
    assert found[0].before != found[1].before


def test_each_task_is_compared_on_its_own_replay(crops: Validation) -> None:
    old, new, making = networks(1), networks(2), generators(2)
    new.load_state_dict(old.state_dict(), strict=False)
    bias = new.branch(1).decoder.last.bias
    assert bias is not None
    bias.data.add_(0.2)
    first, second = measure_retention(old, new, making, ["a", "b"], crops)
    assert first.loss == 0
    assert abs(second.loss) > 0.1
    prepare = preset("rgb").prepare
    with torch.no_grad():
        damaged = making[1](crops.clean).mul(255).round() / 255
        restored = [one.on_task(1)(damaged).clamp(0, 1) for one in (old, new)]
    before, after = (float(psnr(prepare(x), prepare(crops.clean)).mean()) for x in restored)
    assert (second.before, second.after) == pytest.approx((before, after))


def test_pictures_are_the_held_out_ones(crops: Validation, photos: Path) -> None:
    assert crops.clean.shape == (2, 3, 48, 48)
    assert list(crops.degraded) == ["clean"]


def test_loss_above_the_tolerance_is_refused() -> None:
    kept, lost = Retention("mix", 27.0, 26.9), Retention("haze", 25.0, 24.8)
    gained = Retention("rain", 20.0, 23.0)
    require_retention([kept, gained], 0.1 + 1e-9, 1e-3)
    with pytest.raises(GrowthRefusedError) as refused:
        require_retention([kept, lost, gained], 0.1 + 1e-9, 1e-3)
    for words in (
        "more than 0.1 dB",
        "mix 27.000 dB before, 26.900 dB after; haze 25.000 dB before, 24.800 dB after; rain 20.000 dB",
        "Lower lifelong.ratio, which was 0.001, or --steps; or allow more with --tolerance",
    ):
        assert words in str(refused.value)
    with pytest.raises(GrowthRefusedError):
        require_retention([Retention("mix", 27.0, float("nan"))], 99, 1e-3)
