from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.degradations.catalogue import create
from unblemish.degradations.quantisation import quantise_8bit
from unblemish.evaluation.cases import Case, Unusable
from unblemish.evaluation.metrics import create_metric
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.score_table import INPUT
from unblemish.evaluation.scoring import Method, score
from unblemish.evaluation.shrunk_cases import ShrunkFolder
from unblemish.pictures.errors import PictureError
from unblemish.training.synthesis import shrunk


@pytest.fixture
def odd(tmp_path: Path, make_scene: Callable[..., np.ndarray]) -> Path:
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.fromarray(make_scene(0, 67, 94)).save(folder / "a.png")
    return folder


def test_pictures_are_cut_below_and_right_then_shrunk_as_in_training(odd: Path) -> None:
    (case,) = ShrunkFolder(odd, 4)
    assert isinstance(case, Case)
    pixels = torch.from_numpy(np.asarray(Image.open(odd / "a.png"))[:64, :92].copy())
    clean = pixels.permute(2, 0, 1)[None].float() / 255  # (1, 3, H, W)
    torch.testing.assert_close(case.clean, clean)
    torch.testing.assert_close(case.damaged, quantise_8bit(shrunk(clean, 4)))
    small = np.asarray(Image.fromarray(pixels.numpy()).resize((23, 16), Image.Resampling.BICUBIC)).astype(float)
    found = case.damaged[0].permute(1, 2, 0).numpy() * 255
    assert abs(found - small).max() <= 1.01


def test_damage_comes_before_shrinking_and_stays_the_same(odd: Path) -> None:
    plain, noisy = ShrunkFolder(odd, 2), ShrunkFolder(odd, 2, create("gaussian_noise"))
    assert (plain.name, noisy.name) == ("x2", "gaussian_noise_x2")
    assert "bicubic" in plain.damage
    assert "seed 0" in noisy.damage
    first, again = (next(iter(noisy)) for _ in range(2))
    undamaged = next(iter(plain))
    assert isinstance(first, Case)
    assert isinstance(again, Case)
    assert isinstance(undamaged, Case)
    assert torch.equal(first.damaged, again.damaged)
    assert not torch.equal(first.damaged, undamaged.damaged)
    assert first.damaged.shape == undamaged.damaged.shape == (1, 3, 33, 47)


def test_given_parameters_are_not_drawn(odd: Path) -> None:
    given = ShrunkFolder(odd, 2, create("gaussian_noise"), values={"sigma": 20.0})
    assert given.damage.startswith("sigma=20, seed 0; then")
    (case,), (plain,) = given, ShrunkFolder(odd, 2)
    assert isinstance(case, Case)
    assert isinstance(plain, Case)
    noise = (case.damaged - plain.damaged).std() * 255
    assert 5 < noise < 15  # shrinking by two averages it away in part


def test_what_cannot_be_shrunk_is_named(odd: Path, tmp_path: Path) -> None:
    Image.new("RGB", (3, 30)).save(odd / "thin.png")
    (odd / "broken.png").write_text("junk")
    sets = ShrunkFolder(odd, 4, limit=3)
    assert len(sets) == 3
    unusable = {one.name: one.reason for one in sets if isinstance(one, Unusable)}
    assert unusable.keys() == {"thin.png", "broken.png"}
    assert "smaller than 4 pixels" in unusable["thin.png"]
    with pytest.raises(ValueError, match="shrinks nothing"):
        ShrunkFolder(odd, 1)
    with pytest.raises(PictureError, match="no such folder"):
        ShrunkFolder(tmp_path / "none", 4)


def test_enlarging_methods_are_scored_beside_the_bicubic_enlargement(odd: Path) -> None:
    def bicubic(x: torch.Tensor) -> torch.Tensor:
        size = [4 * side for side in x.shape[-2:]]
        return torch.nn.functional.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 1)

    methods = [Method("bicubic", bicubic), Method("same", lambda x: x)]
    table = score(methods, [ShrunkFolder(odd, 4)], [preset("y_crop4")], [create_metric("psnr")])
    before = table.mean("x4", INPUT, "y_crop4", "psnr")
    assert before is not None
    assert before > 20
    assert table.mean("x4", "bicubic", "y_crop4", "psnr") == before
    (failure,) = table.failures
    assert failure.method == "same"
    assert "(1, 3, 16, 23) instead of (1, 3, 64, 92)" in failure.reason
