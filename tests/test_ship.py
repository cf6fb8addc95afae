"""`recipes/ship.py` and `recipes/pages.py`, from a tiny run to a bundle and its pages."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from unblemish.commands.app import app
from unblemish.restoration.bundle import Bundle

pytest.importorskip("skimage")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("ship", ROOT / "recipes/ship.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUNDLE", tmp_path / "bundle")
    for name, block in (("RESULTS", "default bundle"), ("README", "summary")):
        page = tmp_path / f"{name}.md"
        page.write_text(f"before\n<!-- {block} -->\nold\n<!-- end of {block} -->\nafter\n")
        monkeypatch.setattr(module, name, page)
    monkeypatch.setattr(module, "CARD", tmp_path / "card.md")
    monkeypatch.setattr(module, "TRAINING", tmp_path / "training.json")
    monkeypatch.setattr(module, "PICTURE", tmp_path / "images/picture.jpg")
    return module


def test_a_run_becomes_a_bundle_with_scores_and_pages(ship: ModuleType, tmp_path: Path) -> None:
    run, result = tmp_path / "run", tmp_path / "result.json"
    options = "steps=2 data.patch=32 batch=2 validation.pictures=2 validation.crop=48 validation.every=2"
    network = 'network.options={"width": 4, "levels": 1, "blocks": 1, "middle": 1}'
    recipe = str(ROOT / "recipes/mix_nafnet_compact.yaml")
    command = ["train", recipe, f"data.folder={ROOT / 'examples'}", *options.split(), network, "optimiser.warmup=1"]
    trained = CliRunner().invoke(app, [*command, "-o", str(run)], catch_exceptions=False)
    assert trained.exit_code == 0, trained.output
    ship.ship_weights(run, "tiny", "a test", "recipes/mix_nafnet_compact.yaml")
    entry = Bundle.load(tmp_path / "bundle").entry("tiny")
    assert (entry.architecture, entry.steps) == ("nafnet_compact", 2)
    assert entry.recipe == "recipes/mix_nafnet_compact.yaml"
    assert "jpeg" in entry.treats
    weights = (tmp_path / "bundle" / entry.file).read_bytes()
    assert entry.tile_margin is not None
    assert json.loads((tmp_path / "training.json").read_text())["validations"][-1]["step"] == 2
    command = ["evaluate", str(ROOT / "examples"), "--with", "jpeg", "--with", "gaussian_noise", "--with", "clean"]
    more = ["--limit", "2", "--metric", "psnr", "--bundle", str(tmp_path / "bundle"), "-o", str(result)]
    scored = CliRunner().invoke(app, [*command, *more], catch_exceptions=False)
    assert scored.exit_code == 0, scored.output
    ship.ship_scores(result)
    found = json.loads(result.read_text())["table"]["scores"]
    jpeg = next(s["mean"] for s in found if (s["case_set"], s["method"]) == ("jpeg", "tiny"))
    scored_bundle = Bundle.load(tmp_path / "bundle")
    assert scored_bundle.entry().scores["psnr/jpeg"] == pytest.approx(jpeg, abs=1e-3)
    assert scored_bundle.blob(scored_bundle.entry()) == weights
    ship.measure_margin = lambda *_: 8  # what it measures was seen above, and it takes long
    ship.ship_weights(run, "another", "a test", "recipes/mix_nafnet_compact.yaml")
    assert Bundle.load(tmp_path / "bundle").names == ("tiny", "another")
    for page in ("RESULTS.md", "README.md"):
        text = (tmp_path / page).read_text()
        assert text.startswith("before\n<!--")
        assert text.endswith("after\n")
        assert "old" not in text
    assert f"{jpeg:.2f}" in (tmp_path / "card.md").read_text()
    ship.ship_pictures()
    assert (tmp_path / "images/picture.jpg").exists()


def test_a_page_without_the_block_is_named(ship: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="has no block"):
        ship.replace_block(page, "summary", "text")
