"""`recipes/deconvolution_comparison.py` on tiny pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from unblemish.errors import UserError
from unblemish.networks.catalogue import create

OPTIONS = {"width": 2, "corrector_width": 2}


@pytest.fixture
def script(recipe_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loaded = recipe_script("deconvolution_comparison")
    grids = {
        "wiener": {"weight": (0.003, 0.03)},
        "richardson_lucy": {"iterations": (5, 10, 20)},
        "tv": {"weight": (0.001,)},
        "prior": {"weight": (0.01, 0.1), "iterations": (2, 3)},
    }
    monkeypatch.setattr(loaded, "GRIDS", grids)
    return loaded


def test_all_are_tuned_elsewhere_and_scored(script: ModuleType, tmp_path: Path) -> None:
    for number, name in enumerate(("scored/a", "scored/b", "tuning/a", "tuning/b")):
        blocks = np.random.default_rng(number).integers(256, size=(9, 10, 3), dtype=np.uint8)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(tmp_path / f"{name}.png")
    torch.manual_seed(0)
    told = {"network": "golf", "options": json.dumps(OPTIONS), "step": "1"}
    save_file(create("golf", OPTIONS).state_dict(), tmp_path / "golf.safetensors", told)
    words = [
        tmp_path / "scored", "--tuning", tmp_path / "tuning", "--prior", tmp_path / "golf.safetensors", "--blur",
        "motion_blur", "--tuning-crop", "56", "--sheet", tmp_path / "sheet.png", "-o", tmp_path / "x.json",
    ]  # fmt: skip
    script.main([str(word) for word in words])
    found = json.loads((tmp_path / "x.json").read_text())
    prior = next(name for name in found["methods"] if name.startswith("prior "))
    assert set(found["methods"]) == {"blurred", "wiener", "richardson_lucy", "tv", prior}
    for name in ("wiener", "richardson_lucy", "tv"):
        row = found["methods"][name]
        assert row["psnr"] > found["methods"]["blurred"]["psnr"] + 2
        assert len(row["each"]) == 2
        assert row["seconds"] > 0
        best = max(row["tuning"]["grid"], key=lambda tried: tried["psnr"])
        assert row["tuning"]["chosen"].items() <= best.items()
    assert len(found["methods"][prior]["tuning"]["grid"]) == 4
    assert found["methods"]["tv"]["tuning"]["at_edge"] == ["weight"]
    assert found["set"].endswith("/scored (2)")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * 80


def test_the_kernels_follow_from_seed_and_name(script: ModuleType, photos: Path) -> None:
    one, two = (script.blurred(photos, "camera_shake", 2.55, 0, limit) for limit in (1, 2))
    other = script.blurred(photos, "camera_shake", 2.55, 1, 1)
    assert torch.equal(one[0].kernel, two[0].kernel)
    assert torch.equal(one[0].damaged, two[0].damaged)
    assert other[0].kernel.shape != one[0].kernel.shape or not torch.equal(other[0].kernel, one[0].kernel)
    assert one[0].damaged.shape == one[0].clean.shape


def test_nothing_is_tuned_on_what_is_scored(script: ModuleType, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "tuning").mkdir()
    shutil.copy(photos / "picture0.png", tmp_path / "tuning" / "renamed.png")
    with pytest.raises(UserError, match="tune on other pictures"):
        script.main([str(photos), "--tuning", str(tmp_path / "tuning"), "-o", str(tmp_path / "x.json")])
