from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.contrast.task import ContrastTask
from unblemish.networks.base import Network
from unblemish.networks.srresnet import srresnet
from unblemish.training.task import Batch, RestorationTask


class Darkness(Contrast):
    """Asks for dark pictures, and remembers what it was told."""

    weight = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.weight * output.mean(), {"brightness": output.mean()}

    def after_step(self, step: int, network: Network) -> None:
        self.heard.append((step, network))

    def after_validation(self, scores: Mapping[str, float]) -> None:
        self.heard.append(scores)

    def facts(self) -> dict[str, Any]:
        return {"kind": "darkness"}


def test_the_term_is_added_to_the_inner_loss(batch: Batch) -> None:
    inner = RestorationTask(srresnet(blocks=1, width=4), "l1")
    terms, plain = ContrastTask(inner, Darkness())(batch), inner(batch)
    assert torch.equal(terms["output"], plain["output"])
    assert torch.equal(terms["reconstruction"], plain["loss"])
    torch.testing.assert_close(terms["loss"], plain["loss"] + 0.5 * plain["output"].mean())
    torch.testing.assert_close(terms["brightness"], plain["output"].mean())


def test_both_hear_of_steps_and_validations() -> None:
    inner = RestorationTask(srresnet(blocks=1, width=4), "l1")
    task = ContrastTask(inner, contrast := Darkness())
    task.after_step(3)
    task.after_validation({"gain": 1.0})
    assert contrast.heard == [(3, inner.network), {"gain": 1.0}]
    assert task.facts() == {"contrast": {"kind": "darkness"}}
    assert task.network is inner.network
    assert len(list(task.trainable())) == len(list(inner.network.parameters()))
