"""`recipes/growth_sheet.py` with the default bundle in both places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from PIL import Image

from unblemish.restoration.bundle import Bundle


def test_a_row_for_each_photograph(recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path) -> None:
    script, default, output = recipe_script("growth_sheet"), str(Bundle.load().path), tmp_path / "sheet.png"
    shown = [photos / f"picture{number}.png" for number in range(2)]
    script.main([default, default, "haze", *map(str, shown), "-o", str(output)])
    with Image.open(shown[0]) as picture, Image.open(output) as sheet:
        assert sheet.width > 4 * min(240, picture.width)
        assert sheet.height > 2 * min(240, picture.height)


def test_findings_and_scores_stand_below(
    recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path
) -> None:
    bundle = Bundle.load().path
    row = recipe_script("growth_sheet").row(photos / "picture0.png", "gaussian_noise", (bundle, bundle), tmp_path)
    assert row.captions[0] == "picture0"
    assert row.captions[2] == row.captions[3]
    finding, decibels = row.captions[2].rsplit(": ", 1)
    assert finding
    assert float(decibels.removesuffix(" dB")) > 10
