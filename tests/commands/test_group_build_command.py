from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image

from unblemish.architecture_search.found import training_recipe, write_recipe
from unblemish.commands import group_build
from unblemish.errors import UserError
from unblemish.examination import classifier
from unblemish.networks.catalogue import create
from unblemish.pictures.picture import Picture
from unblemish.restoration import group_training
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import Group, KnowledgeCard, NetworkCard
from unblemish.restoration.restorer import Restorer
from unblemish.training.recipe import Recipe

TINY = (
    *("network.name=srresnet", "network.options={blocks: 1, width: 4}", "data.patch=32", "batch=2"),
    *("validation.crop=64", "precision=32-true"),
)
WORDS = ("--data", "photos", "--out", "my.bundle", "--steps", "2", "--budget", "2", "--accelerator", "cpu")
STATED = {"licence": "MIT", "training_set": "generated", "recipe": "test"}

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `group build` in a folder with photographs and a tiny bundle; gives status and both outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifier, "STEPS", 20)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        coarse = np.random.default_rng(number).integers(256, size=(16, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((130, 130), Image.Resampling.BICUBIC).save(tmp_path / f"photos/{number}.png")
    _write_bundle(tmp_path / "base")
    monkeypatch.setenv("UNBLEMISH_BUNDLE", str(tmp_path / "base"))
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(group_build.build)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unblemish", "group", "build", *words])
        try:
            status = app(list(words), standalone_mode=False) or 0
        except UserError as error:
            return 1, "", str(error)
        shown = capsys.readouterr()
        return int(status), shown.out, shown.err

    return run


def _write_bundle(folder: Path) -> None:
    """A descriptor and a network of four channels; what the examiner knows is not looked at."""
    torch.manual_seed(0)
    options = {"blocks": 1, "width": 4}
    describing, restoring = create("srresnet_x4_compact", options), create("srresnet", options)
    seeing = NetworkCard(name="descriptor", purpose="d", architecture="srresnet_x4_compact", options=options, **STATED)
    card = NetworkCard(name="base", purpose="b", architecture="srresnet", options=options, **STATED)
    examination = ((seeing, describing.state_dict()), (KnowledgeCard(settings={}, **STATED), {"a": torch.ones(1)}))
    groups = [Group(name="all", degradations=("jpeg",), network="base")]
    Bundle.write(folder, [(card, restoring.state_dict())], groups=groups, examination=examination)


def test_a_searched_architecture_becomes_a_bundle(call: Call, tmp_path: Path, search: Callable[..., Recipe]) -> None:
    write_recipe(training_recipe(search(data__folder="photos"), "PF/F"), tmp_path / "train.yaml")
    words = (*WORDS, "--degradations", "jpeg", "--reduction", "1", "--patches", "8", "--recipe", "train.yaml")
    status, shown, said = call(*words, *(word for word in TINY if "network" not in word))
    assert status == 0, shown + said
    built = Bundle.load(tmp_path / "my.bundle")
    card = built.entry()
    assert (card.architecture, card.options["architecture"]) == ("multiscale", "PF/F")
    picture = Picture(np.zeros((40, 50, 3), np.uint8), "png")
    assert Restorer(built, device="cpu", group="jpeg").restore(picture).pixels.shape == (40, 50, 3)


def test_a_folder_becomes_a_bundle(call: Call, tmp_path: Path) -> None:
    words = (*WORDS, "--degradations", "jpeg, gaussian_noise", "--threshold", "99", "--reduction", "1", *TINY)
    status, shown, said = call(*words, "--patches", "8", "--licence", "CC-BY-4.0")
    assert status == 0, said
    assert "search: training jpeg + gaussian_noise for 2 steps" in said
    assert "groups: jpeg + gaussian_noise" in said
    assert "group jpeg-gaussian_noise: mean gain" in shown
    assert "group right" in shown
    assert "  unblemish examine photo.jpg --bundle my.bundle" in shown
    assert shown.endswith("  unblemish restore photo.jpg --bundle my.bundle\n")
    built = Bundle.load(tmp_path / "my.bundle")
    card = built.entry()
    assert card.licence == "CC-BY-4.0"
    assert "started from the network 'base' (licence MIT; trained on generated)" in card.training_set
    assert Restorer(built, device="cpu", group="jpeg-gaussian_noise")
    for name in ("recipe.yaml", "similarity.json", "grouping.json", "start.safetensors", "bundle/bundle.json"):
        assert (tmp_path / "my.bundle.runs" / name).exists()
    status, again, said = call(*words, "--patches", "8", "--licence", "CC-BY-4.0")
    assert (status, again) == (0, shown)
    assert "search: training" not in said
    assert "calibration: read from my.bundle.runs/calibration" in said


def test_the_tutorial_runs(call: Call, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/grouping.md").read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if line.startswith("unblemish group build ")]
    whole, tiny = (shlex.split(line)[3:] for line in lines)
    assert call(*tiny)[0] == 0
    assert Bundle.load(tmp_path / "tiny.bundle").manifest.examination is not None
    small = ("--steps", "2", "--budget", "2", "--patches", "8", "--reduction", "1")
    assert call(*whole, *small, *TINY)[0] == 0
    built = Bundle.load(tmp_path / "my.bundle")
    treated = [name for group in built.groups for name in group.degradations]
    assert sorted(treated) == ["gaussian_noise", "jpeg", "motion_blur"]


def test_a_recipe_of_the_users_own(call: Call, tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "recipes/group_nafnet_compact.yaml"
    words = ("--degradations", "jpeg", "--recipe", str(recipe), "--runs", "r", "optimiser.warmup=1")
    status, _, said = call(*WORDS, *words, *TINY, "validation.pictures=1")
    assert status == 0, said
    assert not (tmp_path / "r/start.safetensors").exists()
    card = Bundle.load(tmp_path / "my.bundle").entry()
    assert card.treats == ("jpeg",)
    assert "started from" not in card.training_set
    assert "rate 0.0015" in card.recipe


def test_a_stopped_build_says_so(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*arguments: object, **options: object) -> None:
        raise group_training.BuildStoppedError("stopped in the training of jpeg")

    monkeypatch.setattr("unblemish.restoration.building.carry_out", stopped)
    status, _, said = call(*WORDS, "--degradations", "jpeg", *TINY)
    assert status == 130
    assert "stopped in the training of jpeg" in said
    assert not (tmp_path / "my.bundle").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--degradations", " , "), "no degradation is named"),
        (("--degradations", "jpg"), "jpg"),
        (("--degradations", "jpeg", "--data", "nowhere"), "nowhere: no such folder"),
        (("--degradations", "jpeg", "--descriptor", "none.safetensors"), "none.safetensors"),
        (("--degradations", "jpeg", "--recipe", "none.yaml"), "none.yaml: cannot read the recipe"),
    ],
)
def test_mistakes_are_explained(call: Call, words: tuple[str, ...], said: str) -> None:
    status, _, error = call(*WORDS, *words)
    assert status == 1
    assert said in error
