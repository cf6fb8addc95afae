from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from unblemish.networks.lira import Lira
from unblemish.networks.loading import load_described
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkCard
from unblemish.restoration.errors import BundleError
from unblemish.restoration.growable import find_growable

LIRA = {"width": 16, "coarse_width": 16, "experts": 1, "blocks": 2}
STATED = {"purpose": "test", "licence": "MIT", "training_set": "none", "recipe": "drawn"}


def card(name: str, architecture: str = "lira_compact", **options: Any) -> NetworkCard:
    own = LIRA if architecture == "lira_compact" else {}
    return NetworkCard(name=name, architecture=architecture, options={**own, **options}, **STATED)


def bundle_of(folder: Path, *parts: tuple[NetworkCard, float], generators: tuple[str, ...] = ()) -> Bundle:
    """Weights are not looked at: a number stands for each network's."""
    tensors = [(one, {"weight": torch.full((1,), value)}) for one, value in parts]
    making = [(card(name, "replay_generator", width=4, blocks=1), {"weight": torch.zeros(1)}) for name in generators]
    return Bundle.write(folder, tensors, generators=making)


def test_the_tasks_of_a_network_in_their_order(tmp_path: Path) -> None:
    parts = [(card("new", grown=1), 1.0), (card("other", "nafnet"), 2.0), (card("old", grown=1, task=0), 1.0)]
    found = find_growable(bundle_of(tmp_path, *parts, generators=("new", "more", "old")))
    assert [entry.name for entry in found.tasks] == ["old", "new"]
    assert [entry.name for entry in found.generators] == ["old", "new"]
    assert (found.architecture, found.grown) == ("lira_compact", 1)
    assert found.options(2) == {**LIRA, "grown": 2}


def test_written_weights_describe_themselves(growable: Path, tmp_path: Path) -> None:
    bundle = Bundle.load(growable)
    found = find_growable(bundle)
    old = found.write(tmp_path / "old")
    network = load_described(old.network)
    assert isinstance(network, Lira)
    assert (network.grown, network.task) == (0, -1)
    stored = load(bundle.blob(bundle.entry("mix")))
    assert all(torch.equal(value.half(), stored[key]) for key, value in network.state_dict().items())
    assert load_described(old.generators[0]).parameter_count == bundle.generator("mix").parameter_count
    assert not any(one.requires_grad for one in (*found.network().parameters(), *found.replaying()[0].parameters()))
    times = [path.stat().st_mtime_ns for path in (old.network, *old.generators)]
    again = found.write(tmp_path / "old")
    assert again == old
    assert [path.stat().st_mtime_ns for path in (old.network, *old.generators)] == times


@pytest.mark.parametrize(
    ("parts", "generators", "said"),
    [
        (
            [(card("a", "nafnet"), 1.0)],
            (),
            r"no network that can grow \(lira, lira_compact, lira_naf\).*recipes/lira.yaml",
        ),
        ([(card("a"), 1.0), (card("b"), 2.0)], ("a", "b"), "a, b are several networks that can grow"),
        ([(card("a"), 1.0), (card("b", width=32), 1.0)], ("a", "b"), "a, b are several networks that can grow"),
        ([(card("a", grown=1), 1.0)], ("a",), "a should be the tasks 0 to 1 of one network, each once, and 0 is not"),
        ([(card("a"), 1.0), (card("b"), 1.0)], ("a", "b"), "should be the tasks 0 to 0 of one network, each once:"),
        ([(card("a"), 1.0)], ("b",), "no generator that replays the damage of a, without which"),
    ],
)
def test_what_cannot_grow(
    tmp_path: Path, parts: list[tuple[NetworkCard, float]], generators: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        find_growable(bundle_of(tmp_path, *parts, generators=generators))
