"""What every network promises, of the generator that leaves damage to chance; and that it does damage."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.random_damage import NUMBERS, SIDE, RandomDamage, drawn
from unblemish.networks.replay_generator import ReplayGenerator, replay_generator


@pytest.fixture(scope="module")
def network() -> ReplayGenerator:
    torch.manual_seed(0)
    built = replay_generator(width=4, blocks=2, random=True).eval()
    assert built.damage is not None
    nn.init.normal_(built.damage.ending.weight, 0.0, 0.1)  # it starts as next to nothing
    return built


def pictures(*shape: int) -> Tensor:
    """Smooth enough to be blurred by less than noise changes them."""
    coarse = torch.rand(shape[0], 3, 5, 5, generator=torch.Generator().manual_seed(1))
    return F.interpolate(coarse, size=shape[-2:], mode="bicubic").clamp(0.1, 0.9)


@pytest.mark.parametrize("size", [(17, 29), (5, 7), (1, 1)])
def test_any_size(network: ReplayGenerator, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        damaged = network(pictures(1, 3, *size))
    assert damaged.shape == (1, 3, *size)
    assert damaged.min() >= 0
    assert damaged.max() <= 1


def test_every_parameter_gets_a_gradient(network: ReplayGenerator) -> None:
    own = copy.deepcopy(network).train()
    own(pictures(1, 3, 20, 28)).square().sum().backward()
    assert not [key for key, p in own.named_parameters() if p.grad is None or not p.grad.any()]


def test_the_same_picture_is_damaged_alike(network: ReplayGenerator) -> None:
    """Beside others, in training, in another memory format, and whatever was drawn before."""
    x = pictures(2, 3, 20, 28)
    with torch.inference_mode():
        y = network(x)
        torch.rand(7)
        assert torch.equal(network(x), y)
        assert torch.equal(copy.deepcopy(network).train()(x), y)
        torch.testing.assert_close(network(x[1:]), y[1:], rtol=0, atol=1e-5)
        turned = copy.deepcopy(network).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        torch.testing.assert_close(turned(x.contiguous(memory_format=torch.channels_last)), y, rtol=0, atol=1e-5)


def test_bfloat16(network: ReplayGenerator) -> None:
    x = pictures(1, 3, 20, 28).bfloat16()
    coarse = copy.deepcopy(network).bfloat16()
    with torch.inference_mode():
        assert coarse(x.float()).dtype == torch.float32
        assert coarse(x).dtype == torch.bfloat16
        torch.testing.assert_close(coarse(x).float(), network(x.float()), rtol=0, atol=0.02)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(network(x.float()), network(x.float()), rtol=0, atol=0)


def test_chance_follows_from_the_picture() -> None:
    x = pictures(2, 3, 16, 16)
    noise, numbers = drawn(x)
    assert noise.shape == (2, 4, 16, 16)
    assert numbers.shape == (2, NUMBERS)
    assert abs(noise.mean()) < 0.1
    assert noise.std().item() == pytest.approx(1, abs=0.1)
    other = x.clone()
    other[1, 0, 3, 3] += 1 / 255
    again = drawn(other)
    assert torch.equal(again[0][0], noise[0])
    assert torch.equal(again[1][0], numbers[0])
    assert not torch.isclose(again[0][1], noise[1]).any()
    assert not torch.isclose(again[1][1], numbers[1]).any()


def test_a_filter_of_its_own_for_each_picture() -> None:
    torch.manual_seed(0)
    damage, x = RandomDamage(4, 0), pictures(2, 3, 20, 28)
    with torch.no_grad():
        style = damage.style(drawn(x)[1])
        found = damage._filtered(x, style)
        logits = 3 * damage.filter(style)
        for picture, taps, filtered in zip(x, logits.softmax(1), found, strict=True):
            wide = F.pad(picture[:, None], (SIDE // 2,) * 4, mode="replicate")  # (3, 1, H, W)
            expected = F.conv2d(wide, taps.view(1, 1, SIDE, SIDE).flip(-1, -2))
            torch.testing.assert_close(filtered, expected[:, 0], rtol=0, atol=1e-5)


def test_it_starts_with_some_blur_and_noise_of_several_strengths() -> None:
    torch.manual_seed(0)
    flat = torch.full((8, 3, 32, 32), 0.5) + torch.arange(8)[:, None, None, None] / 255
    edge = torch.zeros(1, 3, 32, 32)
    edge[..., 16:] = 1
    with torch.inference_mode():
        network = replay_generator(width=4, blocks=1, random=True)
        strengths = (network(flat) - flat).std(dim=(1, 2, 3))
        across = network(edge).mean(dim=(0, 1, 2))
    assert strengths.min() > 0.01
    assert strengths.max() > 1.5 * strengths.min()
    assert across[15] > 0.1
    assert across[16] < 0.9
