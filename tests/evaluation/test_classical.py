from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from unblemish.degradations.catalogue import GRIDS_ELEVEN, create, names
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.evaluation import classical
from unblemish.evaluation.classical import classical_names, create_classical
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.metrics import psnr

pytest.importorskip("cv2")
pytest.importorskip("skimage")

# What each tool is known for, at a strength where it must help.
HELPS = {
    "bm3d": ("gaussian_noise", {"sigma": 25}),
    "non_local_means": ("gaussian_noise", {"sigma": 25}),
    "median": ("salt_and_pepper", {}),
    "unsupervised_wiener": ("gaussian_blur", {"sigma": 1}),
    "richardson_lucy": ("gaussian_blur", {"sigma": 1}),
    "biharmonic": ("inpainting", {}),
}


def damaged_pair(make_scene, name: str, values: dict) -> tuple[Tensor, Tensor]:
    pixels = make_scene(0)
    if "blur" in name:  # a smooth picture has nothing to lose
        blocks = np.random.default_rng(0).integers(20, 230, (8, 12, 3))
        pixels = np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)
    clean = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255  # (1, 3, 64, 96)
    degradation, generator = create(name), torch.Generator().manual_seed(0)
    return quantise_8bit(degradation.apply(clean, degradation.fixed(1, **values), generator)), clean


@pytest.mark.parametrize("name", classical_names())
def test_each_tool_helps_where_it_is_meant_to(name: str, make_scene) -> None:
    if name == "bm3d":
        pytest.importorskip("bm3d")
    kind, values = HELPS[name]
    damaged, clean = damaged_pair(make_scene, kind, values)
    method = create_classical(name)
    assert method.applies_to is not None
    assert kind in method.applies_to
    before = damaged.clone()
    restored = method.restore(damaged)
    assert torch.equal(damaged, before)
    assert restored.shape == (1, 3, 64, 96)
    assert restored.dtype == torch.float32
    assert 0 <= restored.min() <= restored.max() <= 1
    assert psnr(restored, clean) > psnr(damaged, clean) + 1
    if name != "bm3d":  # its threads make it differ from run to run
        assert torch.equal(method.restore(damaged), restored)


@pytest.mark.parametrize("name", classical_names())
def test_each_tool_takes_a_flat_picture(name: str) -> None:
    if name == "bm3d":
        pytest.importorskip("bm3d")
    flat = torch.full((1, 3, 64, 96), 128 / 255)
    assert (create_classical(name).restore(flat) - flat).abs().max() < 2 / 255


def test_bm3d_takes_gray_pictures(make_scene) -> None:
    pytest.importorskip("bm3d")
    damaged, clean = (x[:, :1].expand(-1, 3, -1, -1) for x in damaged_pair(make_scene, *HELPS["bm3d"]))
    restored = create_classical("bm3d").restore(damaged)
    assert psnr(restored, clean) > psnr(damaged, clean) + 5
    assert torch.equal(restored[:, 0], restored[:, 2])


def test_the_tools_cover_all_eleven_degradations() -> None:
    covered = frozenset().union(*(create_classical(name).applies_to or () for name in classical_names()))
    assert covered <= set(names())
    assert covered >= set(GRIDS_ELEVEN)


def test_the_noise_is_estimated(make_scene) -> None:
    picture = make_scene(0) / 255 + np.random.default_rng(0).normal(0, 0.1, (64, 96, 3))
    assert classical.estimated_noise(picture) == pytest.approx(0.1, rel=0.1)


def test_the_guessed_blur_keeps_brightness() -> None:
    assert classical.guessed_blur().sum() == pytest.approx(1)


def test_a_tool_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(classical, "import_module", missing)
    flat = torch.full((1, 3, 64, 96), 0.5)
    with pytest.raises(EvaluationError, match=r"unblemish\[compare\]"):
        create_classical("median").restore(flat)
    monkeypatch.setattr(classical, "estimated_noise", lambda picture: 0.1)
    with pytest.raises(EvaluationError, match="bm3d is not installed; pip install bm3d"):
        create_classical("bm3d").restore(flat)
    with pytest.raises(EvaluationError, match="choose from: bm3d"):
        create_classical("photoshop")


def test_nothing_heavy_is_imported_with_the_catalogue() -> None:
    source = Path(importlib.import_module("unblemish.evaluation.classical").__file__ or "").read_text()
    assert not any(f"import {word}" in source for word in ("cv2", "skimage", "bm3d"))
