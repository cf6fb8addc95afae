from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from unblemish.contrast.base import Contrast
from unblemish.contrast.gradients import measure_pull
from unblemish.contrast.task import ContrastTask
from unblemish.networks.srresnet import srresnet
from unblemish.training.task import Batch, RestorationTask


class Scaled(Contrast):
    """The reconstruction loss itself, times a factor."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, output: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.weight * (output - batch.clean).abs().mean(), {}

    def facts(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("weight", [0.5, -2.0])
def test_of_the_loss_itself_times_a_factor(batch: Batch, weight: float) -> None:
    torch.manual_seed(0)
    task = ContrastTask(RestorationTask(srresnet(blocks=1, width=4), "l1"), Scaled(weight))
    found = measure_pull(task, batch)
    assert found.push == pytest.approx(abs(weight), rel=1e-4)
    assert found.weight_push == pytest.approx(abs(weight), rel=1e-4)
    assert found.alignment == pytest.approx(1 if weight > 0 else -1, abs=1e-4)
    assert found.weight_alignment == pytest.approx(1 if weight > 0 else -1, abs=1e-4)
    assert all(p.grad is None for p in task.parameters())
