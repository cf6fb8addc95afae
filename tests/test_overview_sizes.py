"""`recipes/overview_sizes.py`, on one photograph and with a quick network."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from unblemish.networks.base import Network
from unblemish.restoration.bundle import Bundle


class Brighter(Network):
    """Adds a little light."""

    receptive_field = 0

    def __init__(self) -> None:
        super().__init__()
        self.light = nn.Parameter(torch.tensor(0.05))

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.light.float()


def test_every_size_is_measured(
    recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = recipe_script("overview_sizes")
    monkeypatch.setattr(Bundle, "network", lambda bundle, name: Brighter().eval())
    result = tmp_path / "sizes.json"
    monkeypatch.setattr(sys, "argv", ["overview_sizes.py", str(photos), "--count", "1", "-o", str(result)])
    script.main()
    found = json.loads(result.read_text())
    assert found["photographs"] == 1
    assert {*found["gains"]} == {"haze", "darkness"}
    assert found["sides"] == [None, 48, 64, 72, 96, 128]
    darkness = found["gains"]["darkness"]["darkness"]
    assert len(darkness) == 6
    assert darkness[0] > 0
