from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from unblemish.commands import console

RECIPE = {
    "purpose": "a test",
    "network": {"name": "srresnet_x4_compact", "options": {"blocks": 1, "width": 8}},
    "data": {"folder": "elsewhere", "patch": 32},
    "degradations": {"shrink": 4},
    "validation": {"pictures": 1, "crop": 32, "every": 2},
    "steps": 8,
    "batch": 2,
    "precision": "32-true",
}
STUDY = {
    "purpose": "which loss?",
    "recipe": "tiny.yaml",
    "changes": {"steps": 4},
    "seeds": [0, 1],
    "reference": "l1",
    "arms": {"l1": {}, "psnr": {"task.loss": "psnr"}},
    "protocols": ["y_crop4"],
}


@pytest.fixture
def compare(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Runs `unblemish compare study.yaml WORDS...` on a study with two tiny sets of pictures."""
    for folder, count in (("photos", 3), ("set", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            pixels = np.random.default_rng([number, count]).integers(256, size=(6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((50, 51), Image.Resampling.BICUBIC).save(tmp_path / folder / f"{number}.png")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    (tmp_path / "study" / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))

    def call(*words: str) -> Any:
        words = ("data.folder=photos", *words, "--runs", "runs", "--accelerator", "cpu")
        return run("compare", "study/study.yaml", *words)

    return call


def test_arms_are_trained_in_several_calls_and_compared(compare: Callable[..., Any], tmp_path: Path) -> None:
    ran = compare("--score", "tiny=set", "--arm", "psnr", "--seed", "1")
    assert ran.status == 0, ran.err
    assert "training psnr_seed1" in ran.err
    assert "scoring psnr_seed1 on tiny" in ran.err
    assert "- l1_seed0" in ran.out
    files = ("-o", "out/result.json", "--plot", "out/curves.png", "--table", "out/table.md")
    files += ("--contact-sheet", "out/sheet.png")
    ran = compare("--score", "tiny=set", *files)
    assert ran.status == 0, ran.err
    assert "training l1_seed1" in ran.err
    assert "psnr_seed1" not in ran.err
    assert (tmp_path / "out/table.md").read_text() == ran.out
    with Image.open(tmp_path / "out/curves.png") as drawn:
        assert drawn.width > 1000
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.width > 4 * 240  # clean, damaged, two arms
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["provenance"]["seeds"] == [0, 1]
    assert result["overrides"] == ["data.folder=photos"]
    assert result["missing"] == []
    psnr = result["arms"]["psnr"]
    assert psnr["equal_budget"]
    assert set(psnr["differences"]["tiny/x4/y_crop4/psnr"]["each"]) == {"0", "1"}
    assert [step for step, _ in psnr["runs"]["0"]["curve"]] == [2, 4]
    again = compare("--score", "tiny=set")
    assert again.err == ""
    assert again.out == ran.out
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    told = compare("--score", "tiny=set", "--earlier", "out/result.json", "-o", "out/again.json")
    assert (told.out, told.err) == (ran.out, "")
    repeated = json.loads((tmp_path / "out/again.json").read_text())
    assert repeated["arms"] == result["arms"]
    assert repeated["earlier"] == [result["provenance"]]
    (tmp_path / "elsewhere").rename(tmp_path / "runs")
    changed = compare("batch=3")
    assert changed.status == 1
    assert "l1_seed0: was trained with another recipe (batch differ)" in changed.err


def test_a_stopped_study_ends_with_130_and_goes_on(
    compare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: object, step: int, terms: object, rate: float) -> None:
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(console.TrainingProgress, "on_step", interrupt)
        ran = compare("--seed", "0")
    assert ran.status == 130
    assert "stopped in l1_seed0, which is saved; the same command goes on" in ran.err
    ran = compare("--seed", "0", "--arm", "l1")
    assert ran.status == 0
    assert "steps 3 to 4" in ran.err


def test_an_arm_may_start_from_what_another_leaves(compare: Callable[..., Any], tmp_path: Path) -> None:
    arms = {"l1": {}, "l1_longer": {"network.start": "runs/l1_seed{seed}/final.safetensors"}}
    (tmp_path / "study" / "study.yaml").write_text(yaml.safe_dump({**STUDY, "arms": arms}, sort_keys=False))
    ran = compare("--seed", "0", "--arm", "l1_longer")
    assert ran.status == 1
    assert "arm l1_longer: " in ran.err
    assert "runs/l1_seed0/final.safetensors" in ran.err
    ran = compare("--seed", "0")
    assert ran.status == 0, ran.err
    records = [json.loads((tmp_path / f"runs/{arm}_seed0/run.json").read_text()) for arm in arms]
    assert all(record["steps"] == 4 for record in records)
    assert records[1]["files"]["network.start"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "curves.pdf"], "plots are written as .png"),
        (["--contact-sheet", "sheet.pdf"], "written as one of .png"),
        (["--contact-sheet", "sheet.png"], "add --score NAME=FOLDER"),
        (["--score", "set"], "not of the form NAME=FOLDER"),
        (["--score", "a=nowhere"], "nowhere: no such folder"),
        (["--score", "a=set", "--score", "a=photos"], "two sets have one name: a, a"),
        (["--arm", "huber"], "no arm huber"),
        (["task.loss=l1"], "arm psnr sets task.loss itself"),
        (["stpes=1"], "stpes"),
        (["--earlier", "study/study.yaml"], "study/study.yaml: is no result of a study"),
    ],
)
def test_mistakes_show_before_any_training(
    compare: Callable[..., Any], tmp_path: Path, words: list[str], message: str
) -> None:
    ran = compare(*words)
    assert ran.status == 1
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["network.name=vgg"], "arm l1: no network is called 'vgg'"),
        (["degradations.names=[hase]"], "hase"),
        (["data.folder=nowhere"], "arm l1: nowhere: no such folder"),
        (["contrast.method=spn", "contrast.embedding=vgg16", "contrast.embedding_weights=x.pth"], "arm l1: x.pth"),
        (["--score", "a=broken"], "--score a: none of its pictures can be scored; the first reason: "),
        (["-o", "set"], "set: is a folder; give the name of a file"),
        (["--table", "set/0.png/table.md"], "set/0.png: cannot be made"),
    ],
)
def test_what_would_end_a_training_shows_before_the_first(
    compare: Callable[..., Any], tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("no picture")
    ran = compare("--score", "tiny=set", *words)
    assert ran.status == 1
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
