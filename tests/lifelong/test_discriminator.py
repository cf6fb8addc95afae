from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unblemish.lifelong.discriminator import Discriminator
from unblemish.lifelong.errors import LifelongError


def discriminator(width: int = 4) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(width)


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("side", "places"), [(64, 6), (63, 5), (24, 1), (256, 30)])
def test_a_map_of_judgements(side: int, places: int) -> None:
    assert discriminator()(noise(2, 3, side, side)).shape == (2, 1, places, places)


def test_patches_that_are_too_small() -> None:
    with pytest.raises(LifelongError, match=r"patches of 64 x 23 pixels are too small .*: set data\.patch=24 or more"):
        discriminator()(noise(1, 3, 23, 64))


def test_layers_follow_the_publication() -> None:
    judge, x = discriminator(), noise(2, 3, 32, 40)
    values = list(judge.parameters())
    with torch.inference_mode():
        y = F.leaky_relu(F.conv2d(2 * x - 1, values[0], values[1], stride=2, padding=1), 0.2)
        for number, stride in ((1, 2), (2, 2), (3, 1)):
            y = F.conv2d(y, values[2 * number], values[2 * number + 1], stride=stride, padding=1)
            y = F.leaky_relu(F.instance_norm(y), 0.2)
        y = F.conv2d(y, values[8], values[9], padding=1)
        torch.testing.assert_close(judge(x), y)


def test_size_and_start_of_cyclegans() -> None:
    judge = discriminator(64)
    assert sum(p.numel() for p in judge.parameters()) == 2_764_737  # 2.765 million, as its program prints
    for layer in judge.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.bias is not None
            assert not layer.bias.any()


def test_a_place_judges_70_pixels() -> None:
    """Without normalisation, which looks at the whole picture."""
    judge = discriminator()
    layers = [nn.Identity() if isinstance(layer, nn.InstanceNorm2d) else layer for layer in judge.layers]
    x = noise(1, 3, 160, 160).requires_grad_()
    y = nn.Sequential(*layers)(x)
    (gradient,) = torch.autograd.grad(y[0, 0, 9, 9], x)
    rows = gradient.abs().amax(dim=(0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_judges_in_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator()(noise(1, 3, 24, 24)).dtype == torch.float32


def test_details_show_noise_at_once() -> None:
    """Without normalisation, drawn weights answer noise more strongly than the picture's own brightness."""
    torch.manual_seed(0)
    judge = Discriminator(8, details=True)
    flat = torch.full((1, 3, 32, 32), 0.5)
    noise = 0.1 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain, noisy, brighter = (judge(x) for x in (flat, flat + noise, flat + 0.1))
    assert plain.shape == (1, 1, 2, 2)
    assert (noisy - plain).abs().mean() > 2 * (brighter - plain).abs().mean()


@pytest.mark.parametrize("details", [False, True])
def test_beside_the_clean_picture(details: bool) -> None:
    torch.manual_seed(0)
    judge, x, clean = Discriminator(4, details, paired=True), noise(2, 3, 32, 32), noise(2, 3, 32, 32).flip(-1)
    assert next(judge.parameters()).shape[1] == (9 if details else 6)
    assert not torch.allclose(judge(x, clean), judge(x, x))
    alone = Discriminator(4, details)
    assert torch.equal(alone(x, clean), alone(x))
