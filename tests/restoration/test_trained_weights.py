from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from unblemish.networks.loading import save_weights
from unblemish.networks.srresnet import srresnet
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.errors import BundleError
from unblemish.restoration.restorer import Restorer

TOLD = {"network": "srresnet", "options": json.dumps({"blocks": 1, "width": 8}), "purpose": "a test", "step": "7"}


def weights(path: Path, told: dict[str, str]) -> Path:
    torch.manual_seed(0)
    save_weights(srresnet(blocks=1, width=8), path, told)
    return path


def test_weights_of_a_training_are_a_bundle_of_one_network(tmp_path: Path) -> None:
    path = weights(tmp_path / "best.safetensors", TOLD)
    bundle = Bundle.load(path)
    assert bundle.names == ("srresnet",)
    entry = bundle.entry()
    assert (entry.purpose, entry.steps, entry.options) == ("a test", 7, {"blocks": 1, "width": 8})
    torch.manual_seed(0)
    expected, x = srresnet(blocks=1, width=8).eval(), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(bundle.network()(x), expected(x))
    with pytest.raises(BundleError, match="examines no pictures"):
        bundle.descriptor()
    packed = bundle.pack(tmp_path / "mine.bundle")
    assert packed.entry() == entry
    with pytest.raises(BundleError, match="is packed"):
        bundle.update(default="srresnet")


def test_a_picture_is_restored_with_them(tmp_path: Path) -> None:
    path = weights(tmp_path / "best.safetensors", TOLD)
    restored = Restorer(path, device="cpu", precision="float32").restore_tensor(torch.rand(1, 3, 20, 24))
    assert restored.shape == (1, 3, 20, 24)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "does not say which network it is for .* of `unblemish train`, or a bundle"),
        (TOLD | {"options": "{"}, "does not say which network"),
        (TOLD | {"network": "No Name"}, "its header is damaged"),
    ],
)
def test_weights_that_do_not_say_their_network(tmp_path: Path, told: dict[str, str], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        Bundle.load(weights(tmp_path / "best.safetensors", told))


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    with pytest.raises(BundleError, match="does not say which network"):
        Bundle.load(path)
    path.write_text("junk")
    with pytest.raises(BundleError, match="does not say which network"):
        Bundle.load(path)
