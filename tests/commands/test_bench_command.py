from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.commands.app import main
from unblemish.networks.catalogue import create
from unblemish.restoration import engines
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.bundle_parts import NetworkCard


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `unblemish bench`; gives exit status, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unblemish", "bench", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    """A bundle of two tiny networks."""
    options = {"blocks": 1, "width": 8}
    weights = create("srresnet_compact", options).state_dict()
    cards = [
        NetworkCard(
            name=name,
            purpose="tests",
            architecture="srresnet_compact",
            options=options,
            licence="Apache-2.0",
            training_set="none",
            recipe="none",
            tile_margin=4,
        )
        for name in ("one", "other")
    ]
    Bundle.write(tmp_path / "bundle", [(card, weights) for card in cards])
    return str(tmp_path / "bundle")


def rows_of(text: str, first: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"| {first}")]


def test_restore_measures_every_network_of_the_bundle(call, bundle: str, tmp_path: Path) -> None:
    path = tmp_path / "results" / "restore.json"
    status, shown, _ = call(
        "restore", "--bundle", bundle, "--size", "64", "--repeats", "1", "--engine", "default", "-o", str(path)
    )
    assert status == 0
    assert "one on 64 x 64 pixels" in shown
    assert "other on 64 x 64 pixels" in shown
    assert len(rows_of(shown, "PyTorch as it comes | float32")) == 2
    assert len(rows_of(shown, "**default: + tiles**")) == 2
    stored = json.loads(path.read_text())
    assert [network["network"] for network in stored["networks"]] == ["one", "other"]
    assert [row["name"] for row in stored["networks"][0]["rows"]] == ["eager", "default"]
    assert stored["provenance"]["command"].startswith("unblemish bench restore")


def test_restore_says_what_is_not_installed(call, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    status, shown, _ = call(
        "restore", "--bundle", bundle, "--network", "one", "--size", "64", "--repeats", "1", "--engine", "openvino"
    )
    assert status == 0
    assert "not run: this engine needs openvino: install it with" in rows_of(shown, "OpenVINO")[0]


def test_restore_compares_on_given_pictures(call, tmp_path: Path) -> None:
    for number in range(2):
        pixels = np.random.default_rng(number).integers(256, size=(256, 270, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    path = tmp_path / "restore.json"
    words = ["restore", "--architecture", "srresnet_compact", "--size", "256", "--repeats", "1", "--engine", "bfloat16"]
    status, shown, _ = call(*words, "--pictures", str(tmp_path), "--with", "jpeg:quality=20", "-o", str(path))
    assert status == 0
    assert "srresnet_compact on 256 x 256 pixels" in shown
    stored = json.loads(path.read_text())
    assert stored["pieces"] == ["jpeg:quality=20.0: 0.png"]
    assert abs(stored["networks"][0]["rows"][1]["loss"]) < 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["restore", "--architecture", "none"], "no network is called 'none'"),
        (["restore", "--engine", "warp"], "unknown engine 'warp'"),
        (["tiles", "--bundle", "nowhere"], "there is no bundle in nowhere"),
        (["degradations", "sepia"], "no degradation is called 'sepia'"),
    ],
)
def test_errors_are_one_line(call, words: list[str], message: str) -> None:
    status, shown, said = call(*words)
    assert status == 1
    assert not shown
    assert message in said
    assert len(said.splitlines()) == 1


def test_degradations(call, tmp_path: Path) -> None:
    path = tmp_path / "degradations.json"
    status, shown, _ = call("degradations", "jpeg", "haze", "--size", "16", "--repeats", "1", "-o", str(path))
    assert status == 0
    assert [len(rows_of(shown, name)) for name in ("degradation", "jpeg", "haze")] == [1, 1, 1]
    stored = json.loads(path.read_text())
    assert [row["name"] for row in stored["rows"]] == ["jpeg", "haze"]
    assert (stored["batch"], stored["size"], stored["repeats"]) == (16, 16, 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux' /proc")
def test_tiles(call, bundle: str, tmp_path: Path) -> None:
    path = tmp_path / "tiles.json"
    status, shown, _ = call("tiles", "--bundle", bundle, "--network", "one", "--quick", "-o", str(path))
    assert status == 0
    assert len(rows_of(shown, "one | yes")) == 2
    assert "256 x 256 pixels:" in shown
    stored = json.loads(path.read_text())
    assert {row["precision"] for row in stored["differences"]} >= {"float32"}
    assert stored["networks"]["one"]["time"]["tiles"] == 1
    assert [row["side"] for row in stored["networks"]["one"]["speeds"]] == [192, 256]
    assert stored["networks"]["one"]["memory"]["size"] == [300, 300]


def test_examination_is_timed(call, tmp_path: Path) -> None:
    status, out, err = call("examine", "--size", "96", "--repeats", "2", "-o", str(tmp_path / "out.json"))
    assert status == 0, err
    assert out.startswith("96 x 96 pixels: ")
    stored = json.loads((tmp_path / "out.json").read_text())
    assert len(stored["seconds"]) == 2
    assert min(stored["seconds"]) <= stored["median"] <= max(stored["seconds"])
