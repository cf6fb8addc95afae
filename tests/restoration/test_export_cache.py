from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unblemish.restoration import export_cache
from unblemish.restoration.export_cache import cache_folder, exported, fingerprint


@pytest.fixture
def exports(monkeypatch, tmp_path):
    """Replaces the export by a file of known content, in a cache of its own, and counts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = []

    def export_onnx(network, path):
        made.append(path)
        path.write_text("onnx")

    monkeypatch.setattr(export_cache, "export_onnx", export_onnx)
    return made


def test_the_second_time_it_is_there(convolutions, exports, tmp_path):
    assert [exported(convolutions(), Path.read_text) for _ in range(2)] == ["onnx", "onnx"]
    assert len(exports) == 1
    assert exports[0].parent == tmp_path / "cache" / "unblemish" / "onnx"


def test_other_weights_and_other_layers_are_other_files(convolutions, exports):
    network = convolutions()
    first = fingerprint(network)
    assert first == fingerprint(convolutions())
    with torch.no_grad():
        next(network.parameters())[0, 0, 0, 0] += 1e-3
    assert len({first, fingerprint(network), fingerprint(convolutions(scale=2))}) == 3


def test_without_a_cache_it_exports_for_this_run_alone(convolutions, exports, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert exported(convolutions(), Path.read_text) == "onnx"
    assert not exports[0].exists()


def test_a_file_that_cannot_be_read_is_made_again(convolutions, exports):
    exported(convolutions(), Path.read_text)
    exports[0].unlink()
    exports[0].mkdir()
    assert exported(convolutions(), Path.read_text) == "onnx"


def test_no_home_no_cache(convolutions, exports, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert exported(convolutions(), Path.read_text) == "onnx"


def test_the_usual_place_lies_in_the_home(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert tmp_path in cache_folder().parents
