"""`recipes/golf_loss_scale.py` at tiny size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from unblemish.networks.vgg import VARIABLES, Vgg


def test_readings_are_measured_and_judged(
    recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    save_file(Vgg("vgg11_bn", ["pool5"]).state_dict(), tmp_path / "vgg.safetensors")
    monkeypatch.setenv("UNBLEMISH_VGG11_BN", str(tmp_path / "vgg.safetensors"))
    script = recipe_script("golf_loss_scale")
    words = [str(photos), "--damage", "motion_blur", "gaussian_noise:sigma=25", "--pictures", "3", "--side", "64"]
    monkeypatch.setattr(sys, "argv", ["program", *words, "-o", str(tmp_path / "scale.json")])
    script.main()
    found = json.loads((tmp_path / "scale.json").read_text())
    assert found["embedding"]["network"] == "vgg11_bn"
    row = found["damages"]["gaussian_noise:sigma=25"]
    readings = row["readings"]
    assert len(readings) == 8
    assert row["psnr"] == pytest.approx(20.2, abs=0.3)
    assert readings["content, -1 to 1"]["mean"] == pytest.approx(12 * 10 ** (-row["psnr"] / 10), rel=0.02)
    assert readings["content, -1 to 1"]["mean"] == pytest.approx(4 * readings["content, 0 to 1"]["mean"])
    for seen in ("-1 to 1", "0 to 1", "imagenet"):
        ratio = readings[f"perceptual, sum, {seen}"]["mean"] / readings[f"perceptual, mean, {seen}"]["mean"]
        assert ratio == pytest.approx(512 * 2 * 2, rel=1e-4)
    fits = {reading for reading, values in readings.items() if 1e-2 <= values["mean"] <= 1e-1}
    assert set(row["fitting"]) == fits
    assert set(found["fitting"]) == fits & set(found["damages"]["motion_blur"]["fitting"])
    with pytest.raises(SystemExit, match="has 0 pictures of 200 pixels"):
        script.middles(photos, 1, 200, 0)
