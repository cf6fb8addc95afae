from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.commands import console
from unblemish.commands.app import main

ROOT = Path(__file__).parents[2]
TINY = [
    "network={name: srresnet, options: {blocks: 1, width: 8}}", "data.patch=32", "batch=2", "steps=4",
    "optimiser.warmup=1", "validation.pictures=1", "validation.crop=32", "validation.every=2",
    "degradations.names=[jpeg]",
]  # fmt: skip


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(256, size=(6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 48)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `unblemish train` in a folder of its own; gives exit status and both outputs."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "recipes" / "mix_nafnet_compact.yaml", tmp_path / "mix.yaml")

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["unblemish", "train", *words, "--accelerator", "cpu"])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out + shown.err

    return run


def test_losses_on_features_say_whose_they_are(
    call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNBLEMISH_VGG16", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    status, shown = call("mix.yaml", "data.folder=photos", *TINY, "contrast.method=spn")
    assert status == 0, shown
    assert "contrastive loss on features of: descriptor" in shown
    status, shown = call("mix.yaml", "data.folder=photos", *TINY, "perceptual.embedding=descriptor", "-o", "c")
    assert status == 0, shown
    assert "perceptual loss on features of: descriptor" in shown
    status, shown = call("mix.yaml", "data.folder=photos", *TINY, "contrast={method: spn, embedding: vgg16}", "-o", "b")
    assert status == 1
    assert "set UNBLEMISH_VGG16" in shown


def test_from_pictures_to_weights_and_on(call, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.png").write_text("junk")
    status, shown = call("mix.yaml", "data.folder=photos", *TINY)
    assert status == 0, shown
    assert "4 of 4 steps" in shown
    assert "done." in shown
    assert "skipped: photos/broken.png: is not a picture" in shown
    assert "step 4: gain" in shown
    assert "left" in shown
    assert "RGB" in shown
    assert "AMP" not in shown
    assert (tmp_path / "runs" / "mix" / "final.safetensors").exists()
    described = (tmp_path / "runs" / "mix" / "training.yaml").read_text()
    assert "unblemish train mix.yaml data.folder=photos" in described
    assert call("mix.yaml", "data.folder=photos", *TINY)[0] == 1
    status, shown = call("mix.yaml", "data.folder=photos", *TINY, "steps=5", "--resume")
    assert status == 0, shown
    assert "steps 5 to 5" in shown


def test_a_stopped_training_ends_with_130_and_says_how_to_go_on(
    call, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: object, step: int, terms: object, rate: float) -> None:
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(console.TrainingProgress, "on_step", interrupt)
    status, shown = call("mix.yaml", "data.folder=photos", *TINY, "-o", "elsewhere")
    assert status == 130
    assert "2 of 4 steps" in shown
    assert "stopped; add --resume to go on" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.yaml"], "none.yaml: cannot read the recipe"),
        (["mix.yaml", "stpes=3"], "stpes"),
        (["mix.yaml", "data.folder=nowhere"], "nowhere: no such folder"),
        (["mix.yaml", "data.folder=."], "holds no picture"),
        (["mix.yaml", "data.folder=photos", *TINY, "degradations.names=[jpge]"], "jpge"),
        (["mix.yaml", "data.folder=photos", *TINY, "network.name=nafnett"], "nafnett"),
        (["mix.yaml", "data.folder=photos", "--resume"], "nothing to resume"),
        (["mix.yaml", "data.folder=photos", *TINY, "data.patch=64"], "smaller than the 64-pixel patch"),
    ],
)
def test_mistakes_are_one_line_and_exit_status_1(
    call, tmp_path: Path, photos: Path, words: list[str], message: str
) -> None:
    if words[1:] == ["data.folder=."]:
        shutil.rmtree(photos)
    status, shown = call(*words)
    assert status == 1
    assert message in shown
    assert shown.startswith("unblemish: ")
    assert len(shown.splitlines()) == 1
