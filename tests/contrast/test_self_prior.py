from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unblemish.contrast.negatives import NegativeModels
from unblemish.contrast.self_prior import SelfPriorNegative
from unblemish.networks.srresnet import srresnet
from unblemish.training.embeddings import Embedding
from unblemish.training.task import Batch


def test_total_is_equation_6(
    embedding: Embedding, batch: Batch, output: Tensor, distance: Callable[[Tensor, Tensor], Tensor]
) -> None:
    networks = [srresnet(blocks=1, width=4) for _ in range(3)]
    contrast = SelfPriorNegative(embedding, NegativeModels(networks), weight=0.01)
    term, logged = contrast(output, batch)
    with torch.no_grad():
        wanted = sum(distance(output, network(batch.degraded)) for network in networks) / 3
    torch.testing.assert_close(logged["negative"], wanted)
    torch.testing.assert_close(term, -0.01 * wanted)


def test_a_step_along_the_gradient_leads_away_from_the_negatives(
    embedding: Embedding, batch: Batch, output: Tensor
) -> None:
    contrast = SelfPriorNegative(embedding, NegativeModels([srresnet(blocks=1, width=4)]), weight=1.0)
    term, logged = contrast(output, batch)
    (gradient,) = torch.autograd.grad(term, output)
    _, later = contrast(output - 0.1 * gradient, batch)
    assert later["negative"] > logged["negative"]


def test_no_gradient_where_negatives_equal_the_network(embedding: Embedding, batch: Batch) -> None:
    network = srresnet(blocks=1, width=4)
    contrast = SelfPriorNegative(embedding, NegativeModels([network]), weight=1.0)
    output = network(batch.degraded).detach().requires_grad_()
    term, _ = contrast(output, batch)
    (gradient,) = torch.autograd.grad(term, output)
    assert term == 0
    assert not gradient.any()
