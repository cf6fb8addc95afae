from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from unblemish.restoration.bundle import Bundle


def test_a_network_leaves_as_onnx_and_computes_the_same(run, bundle: Path) -> None:
    ran = run("export", "made/tiny.onnx")
    assert ran.status == 0, ran.err
    assert "Largest difference to PyTorch" in ran.out
    picture = torch.rand(1, 3, 33, 21, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession("made/tiny.onnx", providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(None, {"picture": picture.numpy()})[0])
    with torch.inference_mode():
        expected = Bundle.load(bundle).network()(picture).numpy()
    assert np.abs(found - expected).max() < 1e-5


def test_files_are_not_replaced_unasked(run, monkeypatch) -> None:
    Path("mine.onnx").write_text("mine")
    ran = run("export", "mine.onnx")
    assert ran.status == 1
    assert "add --overwrite" in ran.err
    assert Path("mine.onnx").read_text() == "mine"
    assert run("export", "mine.onnx", "--overwrite", "--network", "other").status == 0
    assert Path("mine.onnx").stat().st_size > 1000


def test_mistakes_are_one_line(run) -> None:
    Path("folder").mkdir()
    for words, message in (
        (["folder"], "folder: is a folder; name a file, such as folder/network.onnx"),
        (["x.onnx", "--network", "huge"], "no network 'huge'"),
    ):
        ran = run("export", *words)
        assert ran.status == 1
        assert message in ran.err
        assert len(ran.err.splitlines()) == 1
    assert not Path("x.onnx").exists()
