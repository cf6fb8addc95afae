from __future__ import annotations

import torch

from unblemish.contrast.cost import measure_cost
from unblemish.contrast.negatives import NegativeModels
from unblemish.contrast.self_prior import SelfPriorNegative
from unblemish.contrast.task import ContrastTask
from unblemish.networks.srresnet import srresnet
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch, RestorationTask


def test_cost_of_a_step(embedding: Embedding, batch: Batch) -> None:
    torch.manual_seed(0)
    inner = RestorationTask(srresnet(blocks=1, width=4), "l1")
    negatives = NegativeModels([srresnet(blocks=1, width=4) for _ in range(2)], torch.bfloat16)

    def push(weight: float) -> float:
        task = ContrastTask(inner, SelfPriorNegative(embedding, negatives, weight))
        cost = measure_cost(task, batch, bfloat16=False, repeats=1)
        assert min(cost.seconds, cost.plain_seconds) > 0
        assert cost.bytes > cost.plain_bytes > 0
        assert cost.state_bytes == 2 * sum(p.numel() for p in negatives.parameters())
        assert all(p.grad is None for p in task.parameters())
        return cost.push

    assert abs(push(2.0) - 2 * push(1.0)) < 1e-4 * push(2.0)


def test_bytes_kept_are_those_of_activations(embedding: Embedding) -> None:
    """They grow with the picture's area."""
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16, 16)
    inner = RestorationTask(srresnet(blocks=1, width=4), "l1")
    negatives = NegativeModels([srresnet(blocks=1, width=4)])
    wide = measure_cost(
        ContrastTask(inner, SelfPriorNegative(embedding, negatives, 1.0)), Batch(x, x), bfloat16=False, repeats=1
    )
    y = torch.rand(1, 3, 32, 32)
    wider = measure_cost(
        ContrastTask(inner, SelfPriorNegative(embedding, negatives, 1.0)), Batch(y, y), bfloat16=False, repeats=1
    )
    assert 3.5 < wider.plain_bytes / wide.plain_bytes < 4.5
