"""`recipes/ship.py` and `recipes/pages.py`, from a tiny run to a bundle and its pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from unblemish.commands.app import app
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group
from unblemish.restoration.growable import find_growable

pytest.importorskip("skimage")
ROOT = Path(__file__).parents[1]

RecipeScript = Callable[[str], ModuleType]


@pytest.fixture
def ship(recipe_script: RecipeScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = recipe_script("ship")
    monkeypatch.setattr(module, "BUNDLE", tmp_path / "bundle")
    monkeypatch.setattr(module, "RECORDS", tmp_path)
    return module


@pytest.fixture
def pages(recipe_script: RecipeScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = recipe_script("pages")
    monkeypatch.setenv("UNBLEMISH_BUNDLE", str(tmp_path / "bundle"))
    for name, blocks in (
        ("RESULTS", ["default bundle"]),
        ("README", ["summary"]),
        ("EXAMINATION", ["figures", "rules"]),
        ("GROWING", ["growths", "overviews"]),
    ):
        page = tmp_path / f"{name}.md"
        page.write_text("before\n" + "".join(f"<!-- {b} -->\nold\n<!-- end of {b} -->\n" for b in blocks) + "after\n")
        monkeypatch.setattr(module, name, page)
    monkeypatch.setattr(module, "CARD", tmp_path / "card.md")
    monkeypatch.setattr(module, "PICTURE", tmp_path / "images/picture.jpg")
    return module


def test_a_run_becomes_a_bundle_with_pages(ship: ModuleType, pages: ModuleType, tmp_path: Path) -> None:
    run, result = tmp_path / "run", tmp_path / "result.json"
    options = "steps=2 data.patch=32 batch=2 validation.pictures=2 validation.crop=48 validation.every=2"
    network = 'network.options={"width": 4, "levels": 1, "blocks": 1, "middle": 1}'
    recipe = str(ROOT / "recipes/mix_nafnet_compact.yaml")
    training = ["train", recipe, f"data.folder={ROOT / 'examples'}", *options.split(), network, "optimiser.warmup=1"]
    trained = CliRunner().invoke(app, [*training, "-o", str(run)], catch_exceptions=False)
    assert trained.exit_code == 0, trained.output
    ship.ship_network(run, "tiny", "a test", "recipes/mix_nafnet_compact.yaml")
    entry = Bundle.load(tmp_path / "bundle").entry("tiny")
    assert (entry.architecture, entry.steps) == ("nafnet_compact", 2)
    assert entry.recipe == "recipes/mix_nafnet_compact.yaml"
    assert "jpeg" in entry.treats
    whole, part = (ship.parsed_group(Bundle.load(tmp_path / "bundle"), text) for text in ("tiny", "tiny=jpeg,ringing"))
    assert whole.degradations == entry.treats
    assert (part.network, part.degradations) == ("tiny", ("jpeg", "ringing"))
    weights = (tmp_path / "bundle" / entry.file).read_bytes()
    assert entry.tile_margin is not None
    assert json.loads((tmp_path / "training_tiny.json").read_text())["validations"][-1]["step"] == 2
    command = ["evaluate", str(ROOT / "examples"), "--with", "jpeg", "--with", "gaussian_noise", "--with", "clean"]
    more = ["--limit", "2", "--metric", "psnr", "--bundle", str(tmp_path / "bundle"), "-o", str(result)]
    scored = CliRunner().invoke(app, [*command, *more], catch_exceptions=False)
    assert scored.exit_code == 0, scored.output
    pages.write_scores(result)
    found = json.loads(result.read_text())["table"]["scores"]
    jpeg = next(s["mean"] for s in found if (s["case_set"], s["method"]) == ("jpeg", "tiny"))
    ship.measure_margin = lambda *_: 8  # what it measures was seen above, and it takes long
    longer = ["network.start=" + str(run / "best.safetensors"), "-o", str(tmp_path / "longer")]
    trained = CliRunner().invoke(app, [*training, *longer], catch_exceptions=False)
    assert trained.exit_code == 0, trained.output
    ship.ship_network(tmp_path / "longer", "another", "a test", "recipes/mix_nafnet_compact.yaml")
    whole = Bundle.load(tmp_path / "bundle")
    assert whole.names == ("tiny", "another")
    assert whole.entry("another").steps == 4
    assert (tmp_path / "training_another_start.json").read_bytes() == (tmp_path / "training_tiny.json").read_bytes()
    assert whole.blob(whole.entry("tiny")) == weights
    for page in ("RESULTS.md", "README.md"):
        text = (tmp_path / page).read_text()
        assert text.startswith("before\n<!--")
        assert text.endswith("after\n")
        assert "old" not in text
    assert f"{jpeg:.2f}" in (tmp_path / "card.md").read_text()
    pages.write_pictures()
    assert (tmp_path / "images/picture.jpg").exists()


def run_recipe(name: str, folder: Path, *changes: str) -> Path:
    """Trains a recipe for two steps."""
    tiny = (
        "steps=2 data.patch=32 batch=2 validation.pictures=2 validation.crop=48 validation.every=2 optimiser.warmup=1"
    )
    command = ["train", str(ROOT / "recipes" / name), f"data.folder={ROOT / 'examples'}", *tiny.split(), *changes]
    ran = CliRunner().invoke(app, [*command, "-o", str(folder)], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return folder


def test_a_network_that_grows_ships_with_its_generator(ship: ModuleType, tmp_path: Path) -> None:
    blends = "degradations.names=[mild_blend,moderate_blend,severe_blend]"
    first = run_recipe("group_nafnet_compact.yaml", tmp_path / "first", blends, "network.options={width: 4}")
    options = "network.options={width: 4, coarse_width: 8}"
    experts = f"lifelong.experts={first / 'best.safetensors'}"
    base = run_recipe("blends_lira_naf.yaml", tmp_path / "base", options, experts)
    restorer = f"lifelong.restorer={base / 'best.safetensors'}"
    replay = run_recipe(
        "lira_replay.yaml", tmp_path / "replay", "network.options={width: 4, blocks: 1}", restorer, blends,
        "lifelong.discriminator_width=4", "precision=32-true",
    )  # fmt: skip
    ship.measure_margin = lambda *_: 8
    ship.ship_network(base, "blend", "a test", "recipes/blends_lira_naf.yaml")
    ship.ship_generator(replay, "blend", "a test", "recipes/lira_replay.yaml")
    bundle = Bundle.load(tmp_path / "bundle")
    assert find_growable(bundle).grown == 0
    assert bundle.entry("blend").steps == 4
    assert {*bundle.manifest.generators[0].scores} == {
        "psnr/damage", "psnr/real_damage", "psnr/restored", "psnr/real_restored"
    }  # fmt: skip
    assert {path.name for path in tmp_path.glob("training_*")} == {
        "training_blend.json", "training_blend_experts.json", "training_blend_generator.json"
    }  # fmt: skip


def test_what_the_default_bundle_has_learnt_ships_with_its_records(ship: ModuleType, tmp_path: Path) -> None:
    default = Bundle.load()
    shutil.copytree(default.path, tmp_path / "bundle")
    grown = Bundle.load(shutil.copytree(default.path, tmp_path / "grown"))
    blend = grown.entry("blend")
    new = blend.model_copy(
        update={"name": "rain", "treats": ("rain",), "licence": "unknown", "training_set": "a folder"}
    )
    groups = (*grown.groups, Group(name="rain", degradations=("rain",), network="rain"))
    packed = grown.update([(new, grown.blob(blend))], groups=groups).pack(tmp_path / "rain.bundle")
    trained = run_recipe("group_nafnet_compact.yaml", tmp_path / "runs/joint-training-1", "network.options={width: 4}")
    shutil.copytree(trained, tmp_path / "runs/training-of-the-generator-2")
    (trained / "retention.json").write_text('{"tasks": [{"task": "blend", "before": 23.5, "after": 23.4}]}')
    ship.ship_grown(packed.path, tmp_path / "runs")
    bundle = Bundle.load(tmp_path / "bundle")
    assert {part.licence for part in (*bundle.manifest.networks, *bundle.manifest.generators)} == {ship.LICENCE}
    assert bundle.entry("rain").training_set == ship.TRAINING_SET
    assert bundle.groups == packed.groups
    assert [part.problems for part in bundle.verify()] == [part.problems for part in packed.verify()]
    assert {path.name for path in tmp_path.glob("training_*")} == {
        "training_rain.json", "training_rain_generator.json"
    }  # fmt: skip
    assert json.loads((tmp_path / "training_rain.json").read_text())["retention"]["tasks"][0]["after"] == 23.4


def test_a_network_ships_with_what_restores_better(ship: ModuleType, tmp_path: Path) -> None:
    shutil.copytree(Bundle.load().path, tmp_path / "bundle")
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "examples/blocky_cat.jpg", tmp_path / "photos")
    ship.choose_overview = lambda network, paths, damage: len(paths) * 50 if "haze" in damage else None
    ship.ship_overview("haze", tmp_path / "photos")
    assert Bundle.load(tmp_path / "bundle").entry("haze").overview == 50


def test_a_page_without_the_block_is_named(pages: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="has no block"):
        pages.replace_block(page, "summary", "text")


def test_growths_become_a_table(pages: ModuleType, tmp_path: Path) -> None:
    record = {
        "facts": {"protocol": "rgb"},
        "provenance": {
            "date": "2026-01-01T10:00:00+00:00",
            "revision": {"commit": "0123456789abcdef"},
            "hardware": {"cpu": "abacus"},
        },
        "recipe": {"steps": 3000, "degradations": {"names": ["rain", "moderate_blend_with_rain"]}},
        "retention": {"tasks": [{"task": "blend", "before": 23.5, "after": 23.45}]},
        "validations": [
            {"step": 1000, "gain": 5.0, "rain": 25.0, "moderate_blend_with_rain": 20.0, "time": "2026-01-01T10:05:00Z"},
            {"step": 3000, "gain": 4.0, "rain": 26.0, "moderate_blend_with_rain": 19.0, "time": "2026-01-01T10:15:00Z"},
        ],
    }
    (tmp_path / "training_rain.json").write_text(json.dumps(record))
    pages.write_growths([tmp_path / "training_rain.json"])
    text = (tmp_path / "GROWING.md").read_text()
    assert (
        "| rain (`results/training_rain.json`) | rain 25.00 dB, moderate_blend_with_rain 20.00 dB | +5.00 dB |" in text
    )
    assert "| blend 23.50 to 23.45 dB | 1,000 of 3,000 | 15 |" in text
    assert "Validation: rgb. Trained at revision 0123456789, on abacus, one core." in text


def test_sizes_of_copies_become_a_table(pages: ModuleType, tmp_path: Path) -> None:
    record = {"command": "c", "revision": None, "seeds": [0], "seconds": 1.0, "hardware": {"cores": 2, "cpu": "x"}}
    gains = {"haze": {"haze": [8.0, 9.5], "fog": [1.0, -0.25]}}
    content = {"provenance": record, "photographs": 3, "sides": [None, 72], "gains": gains}
    (tmp_path / "sizes.json").write_text(json.dumps(content))
    pages.write_overviews(tmp_path / "sizes.json")
    text = (tmp_path / "GROWING.md").read_text()
    assert "| gain in dB | no copy | 72 px |" in text
    assert "| fog | +1.00 | -0.25 |" in text


def test_a_trial_becomes_tables(pages: ModuleType, tmp_path: Path) -> None:
    record = {"command": "c", "revision": None, "seeds": [0], "seconds": 1.0, "hardware": {"cores": 2, "cpu": "x"}}
    confusion = {"jpeg": {"clean": 1, "coding": 9, "unknown": 0}}
    trial = {"figures": {"harmed": 0.0125}, "confusion": {"statistics": confusion}}
    shares = {"known_right_group": 0.9, "clean_called_clean": 1.0, "unknown_noticed": 0.8, "unknown_treated": 0.1}
    rules = {"one": {**shares, "confusion": {}}, "never saw haze": {"confusion": {"haze": {"clean": 7, "coding": 0}}}}
    for name, content in (("trial", {"trial": trial}), ("rules", {"rules": rules})):
        (tmp_path / f"{name}.json").write_text(json.dumps({**content, "provenance": record}))
    pages.write_examination(tmp_path / "trial.json", tmp_path / "rules.json")
    text = (tmp_path / "EXAMINATION.md").read_text()
    for expected in (
        "| harmed | 0.0125 |",
        "| jpeg | 1 | 9 |  |",
        "| one | 90.0% | 100.0% | 80.0% | 10.0% |",
        "7 clean",
    ):
        assert expected in text
    assert "old" not in text
