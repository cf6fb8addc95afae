from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from unblemish.contrast.curricular import CurricularContrast
from unblemish.contrast.negatives import NegativeModels
from unblemish.networks.srresnet import srresnet
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch


def made(embedding: Embedding) -> CurricularContrast:
    torch.manual_seed(0)
    negatives = NegativeModels([srresnet(blocks=1, width=4) for _ in range(2)])
    return CurricularContrast(embedding, negatives, [20.0, 30.0], weight=0.2)


def test_weights_of_negatives_rise_once_they_are_surpassed(embedding: Embedding) -> None:
    contrast = made(embedding)
    for mean, first, second in ((19.0, 0.75, 0.75), (25.0, 1.25, 0.75), (22.0, 1.25, 0.75), (31.0, 1.25, 1.25)):
        contrast.after_validation({"haze": mean - 1, "rain": mean + 1, "clean": 99.0, "gain": 3.0})
        total = first + second + 2
        torch.testing.assert_close(contrast.shares(), torch.tensor([first, second, 2]) / total)
    resumed = made(embedding)
    resumed.load_state_dict(contrast.state_dict())
    assert torch.equal(resumed.shares(), contrast.shares())


def test_pictures_that_are_only_shrunk_count_as_well(embedding: Embedding) -> None:
    contrast = made(embedding)
    contrast.after_validation({"clean": 25.0, "gain": 1.0})
    torch.testing.assert_close(contrast.shares(), torch.tensor([1.25, 0.75, 2]) / 4)


def test_ratio_of_each_layer(embedding: Embedding, batch: Batch, output: Tensor) -> None:
    contrast = made(embedding)
    term, logged = contrast(output, batch)
    pool, total = nn.AvgPool2d(2), 0.75 + 0.75 + 2
    with torch.no_grad():
        first, second = (network(batch.degraded) for network in contrast.negatives.networks)
    wanted = 0.0
    for weight, f in ((0.25, nn.Identity()), (0.75, lambda x: 2 * pool(x))):

        def from_output(x: Tensor) -> Tensor:
            return (f(output) - f(x)).abs().mean()  # noqa: B023

        far = (0.75 * from_output(first) + 0.75 * from_output(second) + 2 * from_output(batch.degraded)) / total
        wanted += weight * from_output(batch.clean) / (far + 1e-7)
    torch.testing.assert_close(logged["contrast"], wanted)
    torch.testing.assert_close(term, 0.2 * wanted)


def test_every_negative_needs_a_threshold(embedding: Embedding) -> None:
    negatives = NegativeModels([srresnet(blocks=1, width=4)])
    with pytest.raises(ValueError, match="1 negatives need as many thresholds, not 2"):
        CurricularContrast(embedding, negatives, [1.0, 2.0], weight=0.2)
