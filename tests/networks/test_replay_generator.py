from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.networks.catalogue import create
from unblemish.networks.errors import NetworkError
from unblemish.networks.replay_generator import ReflectedConv, ReplayGenerator, replay_generator


def tiny(**options: Any) -> ReplayGenerator:
    torch.manual_seed(0)
    return replay_generator(**{"width": 4, "blocks": 2, **options})


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def test_parameters_of_cyclegan() -> None:
    """11.378 million, as its program prints; layer by layer, with biases."""
    entering = 3 * 64 * 49 + 64 + 64 * 128 * 9 + 128 + 128 * 256 * 9 + 256
    leaving = 256 * 128 * 9 + 128 + 128 * 64 * 9 + 64 + 64 * 3 * 49 + 3
    assert replay_generator().parameter_count == entering + 9 * 2 * (256 * 256 * 9 + 256) + leaving == 11_378_179


def test_starts_as_cyclegan_does() -> None:
    torch.manual_seed(0)
    network = replay_generator(width=16, blocks=1)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.bias is not None
            assert not layer.bias.any()


def test_layers_follow_the_publication() -> None:
    """Written out with PyTorch's functions, from the weights alone."""
    network, x = tiny(blocks=1), noise(2, 3, 16, 24)
    values = list(network.parameters())

    def reflected(y: Tensor, number: int) -> Tensor:
        reach = values[2 * number].shape[-1] // 2
        return F.conv2d(F.pad(y, (reach,) * 4, mode="reflect"), values[2 * number], values[2 * number + 1])

    with torch.inference_mode():
        y = F.relu(F.instance_norm(reflected(2 * x - 1, 0)))
        for number in (1, 2):
            y = F.conv2d(y, values[2 * number], values[2 * number + 1], stride=2, padding=1)
            y = F.relu(F.instance_norm(y))
        assert y.shape == (2, 16, 4, 6)
        y = y + F.instance_norm(reflected(F.relu(F.instance_norm(reflected(y, 3))), 4))
        for number in (5, 6):
            weight, bias = values[2 * number], values[2 * number + 1]
            y = F.conv_transpose2d(y, weight, bias, stride=2, padding=1, output_padding=1)
            y = F.relu(F.instance_norm(y))
        torch.testing.assert_close(network(x), (torch.tanh(reflected(y, 7)) + 1) / 2)


def test_edges_that_cannot_be_reflected_are_replicated() -> None:
    torch.manual_seed(0)
    layer, x = ReflectedConv(2, 3, 3), noise(1, 2, 1, 5)
    with torch.inference_mode():
        expected = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), layer.weight, layer.bias)
        torch.testing.assert_close(layer(x), expected)
    assert layer(noise(1, 2, 2, 5)).shape == (1, 3, 2, 5)


def test_what_it_returns_is_a_picture() -> None:
    network = tiny()
    with torch.no_grad():
        network.ending.weight.mul_(1000)
        y = network(noise(1, 3, 13, 18))
    assert y.shape == (1, 3, 13, 18)
    assert y.min() == 0
    assert y.max() == 1


def test_as_published_it_sees_neither_colour_nor_contrast_of_a_picture() -> None:
    x, shift = noise(1, 3, 16, 16), torch.tensor([0.1, 0.3, 0.5])[:, None, None]
    published, residual = tiny(), tiny(residual=True)
    with torch.no_grad():
        next(published.parameters()).mul_(100)  # far above what keeps the normalisation from dividing by zero
        residual.load_state_dict(published.state_dict())
        torch.testing.assert_close(published(0.5 * x + shift), published(x), rtol=0, atol=1e-3)
        torch.testing.assert_close(residual(x), published(x) - 0.5 + x)


def test_one_pixel_can_be_learnt_from() -> None:
    network = tiny().train()
    network(noise(1, 3, 1, 1)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_random_layers_do_not_go_with_a_residual() -> None:
    with pytest.raises(NetworkError, match=r"replay_generator: random has layers of its own.*: leave residual out"):
        create("replay_generator", {"residual": True, "random": True})


@pytest.mark.parametrize("options", [{"width": 0}, {"blocks": -1}])
def test_impossible_shapes(options: dict[str, int]) -> None:
    with pytest.raises(NetworkError, match=r"replay_generator: give width from 1 and blocks from 0, not"):
        create("replay_generator", options)
