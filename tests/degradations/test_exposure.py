from __future__ import annotations

import pytest
import torch
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

from unblemish.degradations.exposure import encoded_light, exposed, linear_light


def parameters(noise: float = 0.0, light: tuple[float, ...] = (0.0,)) -> dict[str, Tensor]:
    return {"noise": torch.full((len(light),), noise), "light": torch.tensor(light)}


def mean(pictures: Tensor) -> Tensor:
    return pictures.mean((2, 3), keepdim=True).expand_as(pictures)


def test_the_transfer_function_is_kornias() -> None:
    values = torch.linspace(0.0, 1.0, 3 * 257).reshape(3, 1, 257)
    torch.testing.assert_close(linear_light(values), rgb_to_linear_rgb(values))
    torch.testing.assert_close(encoded_light(values), linear_rgb_to_rgb(values))
    torch.testing.assert_close(encoded_light(linear_light(values)), values)


def test_light_adds_up_before_it_is_encoded() -> None:
    half = (torch.arange(16) % 2).float().expand(2, 3, 4, 16).contiguous()  # black and white columns
    seen = exposed(half, parameters(light=(0.0, 1.0)), torch.Generator(), mean)
    assert seen[0].unique().tolist() == [0.5]
    assert seen[1].flatten().tolist() == pytest.approx([0.735357] * 192, abs=1e-5)  # half the light of white


def test_rounding_below_black_does_no_harm() -> None:
    dark = torch.zeros(1, 3, 2, 2)
    assert torch.equal(exposed(dark, parameters(light=(1.0,)), torch.Generator(), lambda x: x - 1e-7), dark)


def test_noise_comes_last_and_its_draws_depend_on_nothing() -> None:
    gray, generator = torch.full((1, 3, 100, 100), 0.5), torch.Generator()
    noisy = exposed(gray, parameters(noise=2.0), generator.manual_seed(1), mean) - gray
    assert float(noisy.std() * 255) == pytest.approx(2.0, rel=0.03)
    linear = exposed(gray, parameters(noise=2.0, light=(1.0,)), generator.manual_seed(1), mean) - gray
    torch.testing.assert_close(noisy, linear, rtol=0.0, atol=1e-6)
    assert torch.equal(exposed(gray, parameters(), generator, mean), gray)
