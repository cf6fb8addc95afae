from __future__ import annotations

import kornia
import torch
from torch import Tensor, nn

from unblemish.contrast.practical import BLUR, SHARPNESS, PracticalContrast, blurred, sharpened
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch


def test_sharpening_is_that_of_kornia_inside() -> None:
    x, factor = torch.rand(3, 3, 9, 8), torch.tensor([0.0, 1.0, 2.5])
    found = sharpened(x, factor)
    wanted = kornia.enhance.sharpness(x, factor)
    torch.testing.assert_close(found[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[1], x[1])


def test_blur_keeps_the_mean_and_calms() -> None:
    x = torch.rand(2, 3, 32, 32)
    soft = blurred(x, torch.tensor([0.3, 1.5]))
    assert soft.std() < x.std()
    assert (soft[1] - x[1]).abs().mean() > (soft[0] - x[0]).abs().mean()


def test_ratio_of_mean_distances(embedding: Embedding, batch: Batch, output: Tensor) -> None:
    """Without made-up pictures: the clean one over the damaged one."""
    term, logged = PracticalContrast(embedding, positives=0, negatives=0, weight=0.1)(output, batch)
    pool = nn.AvgPool2d(2)
    wanted = 0.0
    for weight, f in ((0.25, nn.Identity()), (0.75, lambda x: 2 * pool(x))):
        wanted += weight * (f(output) - f(batch.clean)).abs().mean() / (f(output) - f(batch.degraded)).abs().mean()
    torch.testing.assert_close(logged["contrast"], wanted)
    torch.testing.assert_close(term, 0.1 * wanted)


def test_sharpened_pictures_are_positives_and_blurred_ones_negatives(
    embedding: Embedding, batch: Batch, output: Tensor
) -> None:
    torch.manual_seed(5)
    _, logged = PracticalContrast(embedding, positives=2, negatives=1, weight=1.0)(output, batch)
    torch.manual_seed(5)
    least, most = SHARPNESS
    sharp = [sharpened(batch.clean, least + (most - least) * torch.rand(2)) for _ in range(2)]
    least, most = BLUR
    soft = blurred(batch.clean, least + (most - least) * torch.rand(2))
    near = embedding.distance(embedding(output), embedding(torch.cat([batch.clean, *sharp]))).mean(dim=0)
    far = embedding.distance(embedding(output), embedding(torch.cat([batch.degraded, soft]))).mean(dim=0)
    torch.testing.assert_close(logged["contrast"], embedding.weighed(near / far))


def test_made_up_pictures_are_drawn_from_the_step_s_generator(
    embedding: Embedding, batch: Batch, output: Tensor
) -> None:
    contrast = PracticalContrast(embedding, positives=2, negatives=2, weight=1.0)
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(contrast(output.detach(), batch)[0].item())
    assert found[0] == found[1] != found[2]
