from __future__ import annotations

import torch
from torch import Tensor, nn

from unblemish.lifelong.pseudo_samples import pseudo_pairs


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_damage_is_rounded_like_a_file_and_the_target_is_a_picture() -> None:
    clean = torch.tensor([0.0, 0.3, 0.5, 1.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2).clone()
    before = clean.clone()
    damaged, target = pseudo_pairs(Scaled(0.5), Scaled(4.0), clean)
    levels = [0.0, 38.0, 64.0, 128.0]  # of 255: 38.25, 63.75, 127.5 (to the even one) rounded
    torch.testing.assert_close(damaged[0, 0].flatten() * 255, torch.tensor(levels))
    torch.testing.assert_close(target[0, 0].flatten() * 255, torch.tensor([0.0, 152.0, 255.0, 255.0]))
    assert torch.equal(clean, before)
    assert not damaged.requires_grad
    assert not target.requires_grad


def test_results_are_float32_under_autocast() -> None:
    networks = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
    with torch.autocast("cpu", torch.bfloat16):
        pair = pseudo_pairs(*networks, torch.rand(1, 3, 4, 4))
    assert {part.dtype for part in pair} == {torch.float32}
    assert torch.equal(pair[0] * 255, (pair[0] * 255).round())
