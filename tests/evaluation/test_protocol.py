from __future__ import annotations

import pytest
import torch

from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.protocol import Protocol, luma, preset, preset_names

# Y that MATLAB's rgb2ycbcr gives for uint8 colours, in steps of 1/255.
MATLAB_Y = {
    (0, 0, 0): 16,
    (255, 255, 255): 235,
    (255, 0, 0): 81,
    (0, 255, 0): 145,
    (0, 0, 255): 41,
    (255, 255, 0): 210,
    (0, 255, 255): 170,
    (255, 0, 255): 106,
    (191, 0, 0): 65,
    (0, 191, 0): 112,
    (0, 0, 191): 35,
    (128, 128, 128): 126,
}


def test_luma_is_matlabs_rgb2ycbcr() -> None:
    colours = torch.tensor(list(MATLAB_Y), dtype=torch.float64).reshape(-1, 3, 1, 1) / 255  # (N, 3, 1, 1)
    y = luma(colours) * 255
    assert y.round().flatten().tolist() == list(MATLAB_Y.values())


def test_luma_agrees_with_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    rgb = torch.rand(1, 3, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = color.rgb2ycbcr(rgb[0].permute(1, 2, 0).numpy())[..., 0] / 255
    assert abs(luma(rgb)[0, 0].numpy() - expected).max() < 1e-12


def test_prepare_clamps_rounds_crops_and_converts_in_double() -> None:
    x = torch.full((1, 3, 10, 12), 0.5 + 0.001)  # 127.755 / 255
    x[..., 4, 4], x[..., 5, 5] = 1.7, -0.3
    rgb = preset("rgb").prepare(x)
    assert rgb.dtype == torch.float64
    assert rgb[0, 0, 0, 0] == 128 / 255
    assert (rgb[0, 0, 4, 4], rgb[0, 0, 5, 5]) == (1, 0)
    y = preset("y_crop4").prepare(x)
    assert y.shape == (1, 1, 2, 4)
    assert y[0, 0, 0, 0] == pytest.approx(235 / 255)  # the white pixel is now in the corner
    assert preset("lira").prepare(x)[0, 0, 0, 0] == float(torch.tensor(0.501))
    assert Protocol("raw", rounded=False, clamped=False).prepare(x).max() == pytest.approx(1.7)


def test_gray_protocols_compare_one_channel() -> None:
    x = torch.full((1, 3, 10, 12), 0.5 + 0.001)
    x[..., 4, 4] = 1.7
    for name, value in (("gray", 128 / 255), ("clearer", float(x[0, 0, 0, 0]))):
        prepared = preset(name).prepare(x)
        assert prepared.shape == (1, 1, 10, 12)
        assert (prepared[0, 0, 0, 0], prepared[0, 0, 4, 4]) == (value, 1)


def test_gray_protocols_refuse_colours() -> None:
    gray = torch.rand(1, 1, 5, 5).repeat(1, 3, 1, 1)
    red = gray.clone()
    red[:, 0, 2, 2] += 1 / 255
    for name in preset_names():
        preset(name).check(gray)
        if preset(name).channels != "gray":
            preset(name).check(red)
            continue
        with pytest.raises(EvaluationError, match=f"protocol {name} compares one channel for all.*--gray"):
            preset(name).check(red)


def test_prepare_leaves_its_argument_alone() -> None:
    x = torch.rand(1, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2
    before = x.clone()
    preset("rgb").prepare(x)
    assert torch.equal(x, before)


def test_the_line_states_every_choice() -> None:
    line = str(preset("y_crop4").on("bsds500/val (100)"))
    for part in (
        "y_crop4 on bsds500/val (100)",
        "BT.601",
        "4 px",
        "8 bit",
        "[0, 1]",
        "data range 1",
        "float64",
        "mean",
    ):
        assert part in line
    assert "\n" not in line
    assert "gray, no crop, not rounded" in str(preset("clearer"))
    assert "SSIM window Gaussian 11x11 sigma 1.5, zero-padded, at every pixel" in str(preset("clearer"))
    assert len({str(preset(name)).partition(": ")[2] for name in preset_names()}) == len(preset_names())


@pytest.mark.parametrize("wrong", [{"crop": -1}, {"clamped": False}])
def test_impossible_choices_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"crop|clamped"):
        Protocol("wrong", **wrong)


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(EvaluationError, match="8 x 9 pixels are too few"):
        preset("y_crop4").prepare(torch.zeros(1, 3, 9, 8))


def test_an_unknown_preset_lists_the_known() -> None:
    with pytest.raises(EvaluationError, match="rgb, y, y_crop4, lira"):
        preset("psnr_b")
