"""`recipes/clearer_protocol.py` on two pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from unblemish.networks.catalogue import create
from unblemish.networks.loading import save_weights


def test_scores_are_those_of_both_protocols(
    recipe_script: Callable[[str], ModuleType], photos: Path, tmp_path: Path
) -> None:
    for folder in ("bsds500/test", "eval/set12", "eval/bsd68"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(photos / "picture0.png", tmp_path / folder)
    weights = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        options = {"architecture": "F", "width": 2, "gray": True, "residual": True}
        network = create("multiscale", options)
        weights.append(tmp_path / f"{seed}.safetensors")
        save_weights(network, weights[-1], {"network": "multiscale", "options": json.dumps(options)})
    words = [str(tmp_path), *(f"50={path}" for path in weights), f"70={weights[0]}", "-o", str(tmp_path / "x.json")]
    recipe_script("clearer_protocol").main(words)
    content = json.loads((tmp_path / "x.json").read_text())
    found = {(row["sigma"], row["set"], row["way"], row["rounding"]): row for row in content["scores"]}
    assert len(found) == len(content["scores"]) == 3 * 2 * 2 + 2 * 2
    whole = found[50, "set12", "whole, eight orientations", "truncated"]
    assert len(whole["each"]) == 2
    assert whole["network"]["psnr"] == pytest.approx(sum(one["psnr"] for one in whole["each"]) / 2)
    # The residual starts near zero, so that the noise stays.
    assert whole["network"]["psnr"] == pytest.approx(whole["input"]["psnr"], abs=0.2)
    patches = found[50, "set12", "patches", "none"]
    assert patches["pictures"] == 1  # 80 x 72 pixels hold one patch
    assert found[70, "bsds500_test", "patches", "none"]["input"]["psnr"] < patches["input"]["psnr"]
    assert "truncated to 8 bit" in whole["damage"]
    assert [row["parameters"] for row in content["networks"]["50"]] == [network.parameter_count] * 2


def test_a_word_of_another_form_is_refused(
    recipe_script: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        recipe_script("clearer_protocol").main([str(tmp_path), "weights", "-o", "x.json"])
    assert "SIGMA=WEIGHTS" in capsys.readouterr().err
