"""`recipes/golf_page.py` on results made up in the form of the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

RECORD = {"command": "c", "revision": None, "seeds": [0], "seconds": 1.0, "hardware": {"cores": 2, "cpu": "x"}}
KEY = "set/motion_blur/rgb"


def arm(value: float) -> dict[str, Any]:
    scores = {f"{KEY}/psnr": {"mean": value}, f"{KEY}/ssim": {"mean": 0.5}}
    return {"scores": scores, "runs": {"0": {"parameters": 466_348}}}


def test_a_study_becomes_a_table(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    study = {
        "arms": {"first": arm(23.0), "golf": arm(24.25)},
        "input": {f"{KEY}/psnr": 22.0, f"{KEY}/ssim": 0.25},
        "provenance": RECORD,
    }
    row = {"case_set": "motion_blur", "method": "blur"}
    table = {
        "methods": {"blur": "bfloat16"},
        "scores": [{**row, "metric": "psnr", "mean": 25.5}, {**row, "metric": "ssim", "mean": 0.75}],
    }
    (tmp_path / "golf_study.json").write_text(json.dumps(study))
    (tmp_path / "golf_shipped.json").write_text(json.dumps({"table": table, "provenance": RECORD}))
    text = recipe_script("golf_page").study_text(tmp_path)
    assert "| input |  | 22.00/0.2500 |" in text
    assert "| F 2,000 steps, then G 1,000 | 466,348 | 24.25/0.5000 |" in text
    assert "| shipped `blur` |  | 25.50/0.7500 |" in text


def test_iterations_become_a_table(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    one = {"input": [22.0, 0.5], "estimates": [[22.5, 0.6], [22.75, 0.7]], "updates": [0.0125]}
    content = {
        "damage": {"motion_blur": one}, "seconds": [0.25, 0.5], "side": 256, "threads": 1,
        "megabytes": {"F": 1.779, "G": 0.458}, "provenance": RECORD,
    }  # fmt: skip
    (tmp_path / "golf_iterations.json").write_text(json.dumps(content))
    text = recipe_script("golf_page").iterations_text(tmp_path)
    assert "| F alone | 22.50/0.6000 |  | 250 |" in text
    assert "| 1 | 22.75/0.7000 | 0.0125 | 500 |" in text
    assert "F 1.78 MB, G 0.46 MB" in text


def test_known_kernels_become_a_table(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    scores = {"psnr": 28.0, "ssim": 0.75}
    grid = [{"weight": w, "iterations": 30, "psnr": psnr} for w, psnr in ((0.001, 28.25), (1.0, 28.5))]
    tuned = {"grid": grid, "chosen": {"weight": 1.0, "iterations": 30}}
    content = {
        "methods": {"blurred": scores, "prior x": {**scores, "seconds": 2.0, "tuning": tuned}},
        "set": "a (3)", "tuning_set": "b (2)", "blur": "camera_shake", "sigma": 2.55, "provenance": RECORD,
    }  # fmt: skip
    (tmp_path / "deconvolution.json").write_text(json.dumps(content))
    text = recipe_script("golf_page").known_kernel_text(tmp_path)
    assert "| blurred |  | 28.00 | 0.7500 |  |" in text
    assert "| prior x | weight 1, iterations 30 | 28.00 | 0.7500 | 2.00 |" in text
    assert "next to without any: prior x 28.50 and 28.25 dB." in text


def test_only_what_was_measured_is_written(recipe_script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    page = recipe_script("golf_page")
    page.RESULTS, page.PAGE = tmp_path, tmp_path / "page.md"
    page.PAGE.write_text("<!-- study -->\nold\n<!-- end of study -->\n")
    page.main()
    assert "old" in page.PAGE.read_text()
