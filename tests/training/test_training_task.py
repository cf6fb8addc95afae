from __future__ import annotations

import pytest
import torch

from unblemish.networks.catalogue import create
from unblemish.training.losses import LOSSES
from unblemish.training.task import Batch, RestorationTask


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(*(torch.rand(2, 3, 9, 11, generator=generator) for _ in range(2)))


@pytest.mark.parametrize("loss", LOSSES)
def test_step_compares_the_restored_with_the_clean_batch(batch: Batch, loss: str) -> None:
    network = create("srresnet", {"blocks": 1, "width": 4})
    terms = RestorationTask(network, loss)(batch)
    assert torch.equal(terms["output"], network(batch.degraded))
    assert torch.equal(terms["loss"], LOSSES[loss](terms["output"], batch.clean))


def test_output_is_float32_under_autocast(batch: Batch) -> None:
    task = RestorationTask(create("srresnet", {"blocks": 1, "width": 4}), "l1")
    with torch.autocast("cpu", torch.bfloat16):
        terms = task(batch)
    assert terms["output"].dtype == terms["loss"].dtype == torch.float32


def test_only_what_wants_gradients_is_trained() -> None:
    network = create("srresnet", {"blocks": 1, "width": 4})
    network.conv_first.requires_grad_(False)
    trained = list(RestorationTask(network, "l1").trainable())
    assert len(trained) == len(list(network.parameters())) - 2
