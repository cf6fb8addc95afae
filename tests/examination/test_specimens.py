from __future__ import annotations

import numpy as np
import pytest
import torch

from unblemish.examination import specimens as module
from unblemish.examination.specimens import LARGEST, specimens
from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import write

KINDS = ("clean", "gaussian_noise", "jpeg", "mild_blend_with_rain", "haze")


def in_levels(x: torch.Tensor) -> bool:
    """Whether all values are those of 8-bit pictures."""
    return bool(((x * 255).round() / 255 - x).abs().max() < 1e-6) and bool((x >= 0).all()) and bool((x <= 1).all())


def test_one_of_each_kind_in_order(photographs) -> None:
    found = list(specimens(photographs[0], KINDS, 0))
    assert [one.kind for one in found] == list(KINDS)
    for one in found:
        assert one.clean.shape == one.damaged.shape == (3, 128, 128)
        assert one.clean.dtype == one.damaged.dtype == torch.float32
        assert in_levels(one.clean)
        assert in_levels(one.damaged)
    assert all(not torch.equal(one.damaged, one.clean) for one in found[1:])


def test_equal_arguments_give_equal_specimens(photographs) -> None:
    one, again, other = (list(specimens(photographs[1], KINDS, seed)) for seed in (3, 3, 4))
    for a, b, c in zip(one, again, other, strict=True):
        assert torch.equal(a.damaged, b.damaged)
        assert torch.equal(a.clean, b.clean)
        assert a.kind == "clean" or not torch.equal(a.damaged, c.damaged)


def test_damage_does_not_depend_on_the_other_kinds(photographs) -> None:
    (alone,) = specimens(photographs[2], ("haze",), 0)
    assert torch.equal(alone.damaged, list(specimens(photographs[2], KINDS, 0))[-1].damaged)


def test_some_clean_ones_have_faint_flaws(photographs) -> None:
    pairs = [next(specimens(path, ("clean",), seed)) for path in photographs for seed in range(4)]
    errors = torch.stack([(one.damaged - one.clean).square().mean() for one in pairs])
    assert 0.3 < (errors > 0).float().mean() < 0.7
    assert errors.median() < 1e-3
    assert errors.max() < 1e-2  # colours of drawings, which JPEG halves


def test_some_views_are_gray(photographs) -> None:
    gray = [
        bool((one.clean == one.clean[:1]).all())
        for path in photographs
        for seed in range(6)
        for one in specimens(path, ("clean",), seed)
    ]
    assert 0 < sum(gray) < 0.25 * len(gray)


@pytest.mark.parametrize(("height", "width"), [(700, 900), (900, 700), (300, 2000)])
def test_views_of_large_photographs(tmp_path, scene, height: int, width: int) -> None:
    pixels = np.rint(scene(0, height, width).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    write(Picture(np.ascontiguousarray(pixels), "png"), tmp_path / "large.png")
    views = [next(specimens(tmp_path / "large.png", ("clean",), seed)).clean for seed in range(6)]
    shorter, longer = sorted(LARGEST)
    for view in views:
        assert min(view.shape[1:]) <= shorter
        assert max(view.shape[1:]) <= longer
        assert (view.shape[1] <= view.shape[2]) == (height <= width)
    assert len({float(view.sum()) for view in views}) > 2  # halved ones may be seen whole


def test_views_are_various(photographs) -> None:
    """Another tone curve, softness, sharpness, captions and drawings: the file itself is seen in about half of them."""
    same = []
    for path in photographs:
        pixels = torch.from_numpy(read(path).pixels.copy()).permute(2, 0, 1).float() / 255
        views = [next(specimens(path, ("clean",), seed)).clean for seed in range(8)]
        assert all(view.shape == pixels.shape for view in views)
        same += [float((view - pixels).abs().mean()) < 1e-4 for view in views]
    assert 0.2 < np.mean(same) < 0.65


def test_gray_and_16_bit_files_and_no_files(tmp_path, monkeypatch) -> None:
    for share in ("DRAWN", "CAPTIONED"):
        monkeypatch.setattr(module, share, 0.0)
    for chance in ("TONED", "SOFTENED", "SHARPENED"):
        monkeypatch.setattr(module, chance, (0.0, (0.0, 1.0)))
    pixels = np.random.default_rng(0).integers(0, 65536, (80, 90, 1)).astype(np.uint16)
    write(Picture(pixels, "png"), tmp_path / "gray.png")
    (one,) = specimens(tmp_path / "gray.png", ("salt_and_pepper",), 0)
    assert bool((one.clean == one.clean[:1]).all())
    expected = np.rint(read(tmp_path / "gray.png").pixels / 257).astype(np.uint8)[..., 0]
    assert np.abs(one.clean[0].numpy() * 255 - expected).max() < 1.01
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(PictureError):
        list(specimens(tmp_path / "text.png", KINDS, 0))
