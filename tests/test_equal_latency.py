"""`recipes/equal_latency.py` on narrow networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def test_the_widest_that_is_not_slower_is_chosen(
    recipe_script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = recipe_script("equal_latency")
    monkeypatch.setattr(script, "timed", lambda networks, side, repeats: [2.0, 1.0, 1.9, 2.1])
    script.main(["PF", "--widths", "2", "3", "4", "-o", str(tmp_path / "x.json")])
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["chosen"] == 3
    assert [row["seconds"] for row in found["candidates"]] == [1.0, 1.9, 2.1]
    assert found["against"] == {
        "network": "nafnet_compact", "seconds": 2.0, "parameters": 1_399_260, "multiply_adds_per_pixel": 50_184.0
    }  # fmt: skip


def test_times_are_taken_along_the_default_path(recipe_script: Callable[[str], ModuleType]) -> None:
    from unblemish.networks.catalogue import create

    networks = [create("multiscale_compact", {"architecture": "P", "width": width}) for width in (2, 16)]
    small, large = recipe_script("equal_latency").timed(networks, side=128, repeats=3)
    assert 0 < small < large
