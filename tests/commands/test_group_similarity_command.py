from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from skimage import data

from unblemish.commands import group
from unblemish.errors import UserError
from unblemish.examination.similarity import SimilarityMatrix
from unblemish.networks.catalogue import create
from unblemish.networks.loading import save_weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    for name, photo in (("a", data.astronaut()), ("b", data.coffee())):
        Image.fromarray(photo).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("descriptor") / "descriptor.safetensors"
    save_weights(create("srresnet_x4_compact"), path, {})
    return path


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Runs `unblemish group similarity WORDS...` in a folder of its own; gives what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["unblemish", "group", "similarity", *map(str, words)])
        top = typer.Typer()
        top.add_typer(group.app, name="group")
        top(standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_matrix_with_its_record_and_its_picture(call, photos: Path, weights: Path) -> None:
    names = "jpeg,ringing,defocus_blur,clean"
    words = ["--patches", "8", "--degradations", names, "--output", "made/s.json", "--plot", "made/s.png"]
    shown = call(photos, "--weights", weights, *words, "--seed", "3")
    stored = json.loads(Path("made/s.json").read_text())
    matrix = SimilarityMatrix.from_dict(stored["matrix"])
    assert matrix.names == ("jpeg", "ringing", "defocus_blur", "clean")
    assert stored["provenance"]["command"].startswith("unblemish group similarity ")
    assert stored["provenance"]["seeds"] == [3]
    assert stored["protocol"] == {"patches": 8, "components": 300, "reduction": 2, "sampled": True, "seed": 3}
    assert stored["features"]["tap"] == "hr"
    assert stored["features"]["weights"] == "descriptor.safetensors"
    assert len(stored["features"]["sha256"]) == 64
    assert [s["name"] for s in stored["signatures"]] == list(matrix.names)
    assert {finding["statement"] for finding in stored["paper"]} == {"JPEG is far from the others."}
    row = next(line for line in shown.splitlines() if line.startswith(" 2 ringing"))
    np.testing.assert_allclose([float(v) for v in row.split()[2:]], matrix.distances[1], atol=0.0501)
    assert "Held against GRIDS:" in shown
    with Image.open("made/s.png") as picture:
        assert picture.width > 1000


def test_sift_of_the_fifteen(call, photos: Path) -> None:
    shown = call(photos, "--features", "sift", "--patches", "3", "--fixed")
    stored = json.loads(Path("similarity.json").read_text())
    assert len(stored["matrix"]["names"]) == 15
    assert stored["protocol"]["sampled"] is False
    assert "weights" not in stored["features"]
    assert "Ringing, R-L, defocus blur and motion blur" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--features", "full"], "srresnet_x4 that was trained"),
        (["--features", "vgg16"], "set UNBLEMISH_VGG16"),
        (["--features", "sift", "--degradations", "jpeg,jepg"], "did you mean jpeg?"),
        (["--features", "sift", "--degradations", "jpeg"], "at least two degradations"),
        (["--features", "sift", "--degradations", "jpeg,jpeg"], "each once"),
        (["--features", "sift", "--plot", "map.pdf"], "map.pdf: heat maps are written as .png"),
        (["--features", "full", "--weights", "WEIGHTS"], "does not fit SRResNet"),
        (["--features", "sift", "--reduction", "9"], "at least 1152 pixels wide"),
    ],
)
def test_mistakes(
    call, photos: Path, weights: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNBLEMISH_VGG16", raising=False)
    with pytest.raises(UserError, match=message):
        call(photos, *(str(weights) if word == "WEIGHTS" else word for word in words))
    assert not Path("similarity.json").exists()


def test_what_is_not_installed_is_named(call, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=r"unblemish\[compare\]"):
        call(photos, "--features", "sift", "--patches", "2")
