"""`recipes/equal_latency.py` on narrow networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from unblemish.evaluation.timing import interleaved
from unblemish.networks.base import Network
from unblemish.networks.catalogue import create


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


def test_networks_take_turns_once_they_are_warm(
    recipe_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, rounds, seen = recipe_script("equal_latency"), [], []

    def watched(functions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
        rounds.append(repeats)
        seen.clear()
        return interleaved(functions, repeats)

    def watch(name: str, network: Network) -> Network:
        network.register_forward_pre_hook(lambda *_: seen.append(name))
        return network

    networks = [watch(name, create("multiscale_compact", {"architecture": "P", "width": 2})) for name in "ab"]
    monkeypatch.setattr(script, "interleaved", watched)
    times = script.timed(networks, side=128, repeats=3)
    assert rounds == [2, 3]  # the first ones warm up
    assert seen == ["a", "b"] * 3
    assert min(times) > 0
