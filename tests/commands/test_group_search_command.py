from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from PIL import Image

from unblemish.commands import group_search
from unblemish.training.callbacks import Journal

NAMES = ["jpeg", "haze", "gaussian_noise", "ringing"]
DISTANCES = [[0, 9.0, 2.0, 3.0], [9.0, 0, 9.0, 9.0], [2.0, 9.0, 0, 4.0], [3.0, 9.0, 4.0, 0]]
WORDS = ("recipe.yaml", "data.folder=photos", "--budget", "2", "--accelerator", "cpu")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `group search` in a folder with pictures, a recipe and distances; gives status and both outputs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        coarse = np.random.default_rng(number).integers(256, size=(9, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / f"photos/{number}.png")
    recipe: dict[str, Any] = {
        "purpose": "test",
        "network": {"name": "srresnet", "options": {"blocks": 1, "width": 4}},
        "data": {"folder": "nowhere", "patch": 16},
        "degradations": {"names": ["jpeg", "gaussian_noise", "ringing"]},
        "validation": {"pictures": 1, "crop": 32},
        "steps": 50,
        "batch": 2,
        "precision": "32-true",
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (tmp_path / "similarity.json").write_text(json.dumps({"matrix": {"names": NAMES, "distances": DISTANCES}}))
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(group_search.search)

    def run(*words: str) -> tuple[int, str, str]:
        from unblemish.errors import UserError

        monkeypatch.setattr(sys, "argv", ["unblemish", "group", "search", *words])
        try:
            status = app(list(words), standalone_mode=False) or 0
        except UserError as error:
            return 1, "", str(error)
        shown = capsys.readouterr()
        return int(status), shown.out, shown.err

    return run


def test_from_a_recipe_to_groups(call: Call, tmp_path: Path) -> None:
    status, shown, said = call(*WORDS, "--threshold", "50", "--output", "out/g.json", "--all", "--runs", "r")
    assert status == 0, said
    assert "training jpeg (networks so far: 0)" in said
    assert "largest size: jpeg + gaussian_noise + ringing loses" in said
    assert "passes" in said
    assert "| PSNR, dB | jpeg | gaussian noise | ringing | average |" in shown
    assert "Groups: 1) jpeg, gaussian noise, ringing." in shown
    assert "every group would be 7" in shown
    written = json.loads((tmp_path / "out/g.json").read_text())
    assert written["search"]["groups"] == [["jpeg", "gaussian_noise", "ringing"]]
    assert written["search"]["all"] == [written["search"]["groups"]]
    assert written["search"]["trace"][0]["stage"] == "largest size"
    assert written["trainings"] == {"search": 5, "all_questions": 5, "trained_now": 5, "exhaustive": 7, "tag": 7}
    assert written["tag"]["serves"].keys() == {"jpeg", "gaussian_noise", "ringing"}
    assert written["table"]["rows"]["grouped"] == written["table"]["rows"]["mix-training (baseline)"]
    assert "unblemish group search recipe.yaml" in written["provenance"]["command"]
    assert written["distances"] == [[0, 2, 3], [2, 0, 4], [3, 4, 0]]
    assert (written["budget"], written["recipe"]["data"]["folder"]) == (2, "photos")
    assert len(list((tmp_path / "r").iterdir())) == 5
    status, shown, said = call(*WORDS, "--threshold", "0", "--output", "other.json", "--runs", "r")
    assert status == 0, said
    other = json.loads((tmp_path / "other.json").read_text())
    # Only what the first search had no need of is trained: the rest is found in the folder of runs.
    assert other["trainings"]["trained_now"] == len(list((tmp_path / "r").iterdir())) - 5
    assert other["table"]["rows"]["single-task (upper bound)"]["jpeg"] == pytest.approx(
        written["table"]["rows"]["single-task (upper bound)"]["jpeg"]
    )


def test_a_stop_ends_with_130_and_the_same_command_goes_on(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "on_step", lambda *_: signal.raise_signal(signal.SIGINT))
        status, _, said = call(*WORDS)
    assert status == 130
    assert "stopped in the training of jpeg after 1 of 2 steps; the same command goes on from here" in said
    assert not (tmp_path / "grouping.json").exists()
    assert call(*WORDS)[0] == 0
    assert (tmp_path / "grouping.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--similarity", "none.json"], "none.json: cannot be read"),
        (["--similarity", "recipe.yaml"], "recipe.yaml: holds no distances"),
        (["--similarity", "short.json"], "short.json: has no distances of ringing"),
        (["--similarity", "odd.json"], "odd.json: 3 names do not fit distances of shape (2, 2)"),
        (["--threshold", "-1"], "a threshold of -1.0 dB"),
        (["optimiser.warmup=9"], "warmup (9) must be below steps (2)"),
        (["data.folder=none"], "none: no such folder"),
    ],
)
def test_mistakes_are_told_before_any_training(call: Call, tmp_path: Path, words: list[str], message: str) -> None:
    short = {"matrix": {"names": ["jpeg", "gaussian_noise"], "distances": [[0, 1], [1, 0]]}}
    (tmp_path / "short.json").write_text(json.dumps(short))
    short["matrix"]["names"].append("ringing")
    (tmp_path / "odd.json").write_text(json.dumps(short))
    status, _, said = call(*WORDS[:2], *words, *WORDS[2:])
    assert status == 1
    assert message in said
    assert not (tmp_path / "runs").exists()


def test_ray_is_asked_for_by_name(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    status, _, said = call(*WORDS, "--backend", "ray")
    assert (status, "unblemish[ray]" in said) == (1, True)
