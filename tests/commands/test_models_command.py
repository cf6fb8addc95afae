from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import pytest

from unblemish.restoration.bundle import Bundle


def test_networks_with_their_terms(run) -> None:
    ran = run("models")
    assert ran.status == 0
    assert ran.out.startswith("tiny (default): Shows that all is joined.\n")
    assert "\nother: Is another one.\n" in ran.out
    assert "  architecture: srresnet (blocks=1, width=4)\n" in ran.out
    assert ran.out.count("  licence of the weights: CC0-1.0\n") == 2
    assert "  training: 7 steps\n" in ran.out
    assert "  scores: psnr/jpeg 12.35\n" in ran.out
    assert "protocol" not in ran.out  # this bundle states none


def test_all_of_it_for_machines(run, bundle: Path) -> None:
    assert json.loads(run("models", "--json").out) == json.loads((bundle / "bundle.json").read_text())
    assert run("models", "--bundle", bundle).out == run("models").out


def test_no_bundle_is_one_line(run) -> None:
    ran = run("models", "--bundle", "nowhere")
    assert ran.status == 1
    assert ran.err.startswith("unblemish: there is no bundle in nowhere")


def test_the_bundle_that_ships_loads_and_is_the_one_described() -> None:
    folder = Path(str(files("unblemish") / "assets" / "default_bundle"))
    if not folder.exists():
        pytest.skip("no weights ship yet")
    bundle = Bundle.load(folder)
    for entry in bundle.manifest.networks:
        assert hashlib.sha256((folder / entry.file).read_bytes()).hexdigest() == entry.sha256
        assert entry.licence
        assert entry.training_set
        assert entry.protocol
        assert entry.scores
        assert bundle.network(entry.name).parameter_count > 0
