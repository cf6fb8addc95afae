from __future__ import annotations

import torch
from torch import Tensor, nn

from unblemish.contrast.regularisation import ContrastiveRegularisation, enlarged
from unblemish.degradations.resampling import resized
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch


def test_ratio_of_each_layer(embedding: Embedding, batch: Batch, output: Tensor) -> None:
    term, logged = ContrastiveRegularisation(embedding, weight=0.1)(output, batch)
    pool = nn.AvgPool2d(2)
    wanted = 0.0
    for weight, f in ((0.25, nn.Identity()), (0.75, lambda x: 2 * pool(x))):
        near = (f(output) - f(batch.clean)).abs().mean()
        far = (f(output) - f(batch.degraded)).abs().mean()
        wanted += weight * near / (far + 1e-7)
    torch.testing.assert_close(logged["contrast"], wanted)
    torch.testing.assert_close(term, 0.1 * wanted)


def test_output_is_drawn_to_the_clean_picture(embedding: Embedding, batch: Batch, output: Tensor) -> None:
    contrast = ContrastiveRegularisation(embedding, weight=1.0)
    near = (batch.clean + 0.1 * (batch.degraded - batch.clean)).detach()
    assert contrast(near, batch)[0] < contrast(output, batch)[0]
    assert contrast(batch.clean, batch)[0] == 0


def test_smaller_damaged_pictures_are_enlarged(batch: Batch) -> None:
    small = torch.rand(2, 3, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = enlarged(Batch(small, batch.clean))
    assert torch.equal(found, resized(small, 8, 12).clamp(0, 1))
    assert enlarged(batch) is batch.degraded
