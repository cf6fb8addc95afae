from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unblemish.examination import specimens as module
from unblemish.examination.errors import PairSizeError
from unblemish.examination.specimens import LARGEST, shown, specimens
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


def saved(pixels: np.ndarray, path: Path) -> Path:
    write(Picture(np.ascontiguousarray(pixels), "png"), path)
    return path


@pytest.fixture
def pair(tmp_path, scene) -> tuple[Path, Path]:
    """A large photograph and its partner, in which all channels are half of red."""
    pixels = np.rint(scene(0, 500, 700).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    return saved(pixels, tmp_path / "large.png"), saved(pixels[..., :1].repeat(3, -1) // 2, tmp_path / "fog.png")


def test_given_damage_is_the_same_part_of_both_files(pair) -> None:
    """Cut and shrunk alike, and nothing else done to it; the other kinds are what they are without it."""
    clean, damaged = pair
    given = {"fog": {clean: damaged}}
    shapes = set()
    for seed in range(8):
        made, fog, noisy = specimens(clean, ("clean", "fog", "gaussian_noise"), seed, given)
        assert (made.kind, fog.kind, noisy.kind) == ("clean", "fog", "gaussian_noise")
        assert fog.clean.shape == fog.damaged.shape == noisy.clean.shape
        assert in_levels(fog.clean)
        assert in_levels(fog.damaged)
        assert (fog.damaged - fog.clean[:1] / 2).abs().mean() * 255 < 0.8  # rounding, and what shrinking overshoots
        assert torch.equal(noisy.damaged, next(specimens(clean, ("gaussian_noise",), seed)).damaged)
        shapes.add(fog.clean.shape)
    assert len(shapes) > 2


def test_given_damage_is_looked_at_where_the_clean_view_is(pair, monkeypatch) -> None:
    for share in ("DRAWN", "CAPTIONED", "GRAY"):
        monkeypatch.setattr(module, share, 0.0)
    for chance in ("TONED", "SOFTENED", "SHARPENED"):
        monkeypatch.setattr(module, chance, (0.0, (0.0, 1.0)))
    for seed in range(4):
        noisy, fog = specimens(pair[0], ("gaussian_noise", "fog"), seed, {"fog": {pair[0]: pair[1]}})
        assert torch.equal(fog.clean, noisy.clean)


def test_a_kind_of_the_catalogue_can_be_given(pair) -> None:
    clean, damaged = pair
    (given,) = specimens(clean, ("haze",), 0, {"haze": {clean: damaged}})
    assert torch.equal(given.damaged[0], given.damaged[1])
    (made,) = specimens(clean, ("haze",), 0, {"fog": {clean: damaged}})
    assert torch.equal(made.damaged, next(specimens(clean, ("haze",), 0)).damaged)


def test_without_a_partner_there_is_no_specimen(pair, photographs) -> None:
    given = {"fog": {pair[0]: pair[1]}}
    found = specimens(photographs[0], ("clean", "fog", "jpeg"), 0, given)
    assert [one.kind for one in found] == ["clean", "jpeg"] == shown(photographs[0], ("clean", "fog", "jpeg"), given)
    assert shown(pair[0], ("clean", "fog"), given) == ["clean", "fog"]


def test_gray_and_16_bit_partners(tmp_path) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (80, 90, 3)).astype(np.uint16)
    clean = saved(levels, tmp_path / "clean.png")
    damaged = saved(np.rint(levels[..., :1] / 257).astype(np.uint8), tmp_path / "gray.png")
    (one,) = specimens(clean, ("fog",), 0, {"fog": {clean: damaged}})
    assert one.damaged.shape == (3, 80, 90)
    assert (one.damaged - one.clean[:1]).abs().max() * 255 < 1.01


def test_pairs_of_two_sizes(pair, tmp_path) -> None:
    clean, damaged = pair
    smaller = saved(read(damaged).pixels[:-1], tmp_path / "smaller.png")
    with pytest.raises(PairSizeError, match=r"smaller.png: a pair .* 700 x 499 but .*large.png has 700 x 500"):
        list(specimens(clean, ("fog",), 0, {"fog": {clean: smaller}}))
