from __future__ import annotations

import math

import pytest
import torch

from unblemish.examination.representation import BORDER, MOMENTS, describe, gather


def channels(described: torch.Tensor, count: int) -> torch.Tensor:
    """`(..., 3, 2, C)`: field, log sigma or log ratio, channel."""
    return described.unflatten(-1, (MOMENTS // 2, 2, count))


def test_sigma_and_shape_of_each_channel() -> None:
    draw = torch.Generator().manual_seed(0)
    normal = 3.0 * torch.randn(1, 1, 200, 200, generator=draw) + 7.0
    uniform = torch.rand(1, 1, 200, 200, generator=draw)
    laplace = normal.sign() * -torch.rand(1, 1, 200, 200, generator=draw).log()
    laplace = torch.where(torch.rand(1, 1, 200, 200, generator=draw) < 0.5, laplace, -laplace)
    found = channels(describe(gather(torch.cat((normal, uniform, laplace), 1)))[0], 3)
    assert found[0, 0].exp().tolist() == pytest.approx([3.0, 12**-0.5, 2**0.5], rel=0.03)
    assert found[0, 1].exp().tolist() == pytest.approx([math.pi / 2, 4 / 3, 2.0], rel=0.03)
    assert found[1:, 0, 0].exp().tolist() == pytest.approx([3 * 2**0.5] * 2, rel=0.03)


def test_differences_tell_the_direction() -> None:
    stripes = (torch.arange(64) % 4 < 2).float().expand(1, 1, 64, 64)  # vertical ones
    across = channels(describe(gather(stripes))[0], 1)
    down = channels(describe(gather(stripes.mT))[0], 1)
    assert across[1, 0] > across[2, 0] + 3
    torch.testing.assert_close(across[[0, 2, 1]], down)


def test_offsets_and_padding_do_not_count() -> None:
    f = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(gather(f + 5), gather(f), rtol=1e-3, atol=1e-4)
    padded = f.clone()
    padded[..., :BORDER, :] = padded[..., -BORDER:] = 100
    torch.testing.assert_close(gather(padded), gather(f))


def test_bfloat16_and_constants() -> None:
    f = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(2))
    assert gather(f.bfloat16()).dtype == torch.float32
    torch.testing.assert_close(describe(gather(f.bfloat16())), describe(gather(f)), rtol=0, atol=0.02)
    assert bool(describe(gather(torch.full((1, 2, 64, 64), 3.0))).isfinite().all())


def test_the_mean_over_patches_is_that_of_a_picture() -> None:
    f = torch.randn(4, 2, 64, 64, generator=torch.Generator().manual_seed(3))
    one = describe(gather(f).mean(0))
    assert one.shape == (12,)
    assert (one - describe(gather(f))).abs().max() < 0.2
