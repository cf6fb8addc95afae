from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from unblemish.networks.base import Network
from unblemish.networks.multiscale import multiscale, multiscale_compact
from unblemish.networks.nafnet import NAFNet
from unblemish.networks.restormer import Restormer
from unblemish.networks.srresnet import SRResNet
from unblemish.restoration import export
from unblemish.restoration.export import ExportError, export_onnx


def lively(network: Network) -> Network:
    """The network with every parameter drawn: those that start at zero, or nearly, would hide whole branches."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.square().mean().sqrt() < 2e-3:
                parameter.normal_(0, 0.1, generator=generator)
    return network


NETWORKS = {
    "srresnet_x4": lambda: SRResNet(blocks=1, width=4, scale=4),
    "restormer": lambda: Restormer(dim=4, blocks=(1, 1), heads=(1, 2), refinement=0, expansion=2.0, norm_bias=False),
    "nafnet": lambda: NAFNet(width=4, encoder=(1,), middle=1, decoder=(1,), fold=4, attention=True),
    "multiscale_compact": lambda: multiscale_compact(architecture="PF", width=4),
    "multiscale_gray": lambda: multiscale(architecture="F", width=4, gray=True),
}
# Divisible and not, smaller than the padding it needs, one pixel, one side short only.
SIZES = ((16, 24), (17, 29), (3, 5), (1, 1), (3, 40))


@pytest.mark.parametrize("kind", NETWORKS)
def test_any_size_and_batch(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = lively(NETWORKS[kind]()), tmp_path / "network.onnx"
    training_before, state_before = network.training, {k: v.clone() for k, v in network.state_dict().items()}
    report = export_onnx(network, path, check_sizes=SIZES[:2])
    assert network.training is training_before
    assert all(torch.equal(value, state_before[key]) for key, value in network.state_dict().items())
    assert report.path == path
    assert report.size == path.stat().st_size
    assert report.checked == ((1, 16, 24), (2, 16, 24), (1, 17, 29), (2, 17, 29))
    assert 0 < report.largest_difference < 1e-5
    assert list(tmp_path.iterdir()) == [path]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == report.opset == export.OPSET
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    random = np.random.default_rng(0)
    network.eval()
    for batch, (height, width) in enumerate(SIZES, start=1):
        x = random.random((batch, 3, height, width), dtype=np.float32)
        (found,) = session.run(["restored"], {"picture": x})
        with torch.inference_mode():
            wanted = network(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_a_file_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(b"older")
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(ExportError, match=r"differs from PyTorch by .* on 64x64 pixels: try another opset"):
        export_onnx(SRResNet(blocks=1, width=4, scale=1), path)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxscript" else found(name))
    with pytest.raises(ExportError, match=r"'onnxscript'; install it with: pip install 'unblemish\[export\]'"):
        export_onnx(SRResNet(blocks=1, width=4, scale=1), tmp_path / "network.onnx")
