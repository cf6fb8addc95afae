"""`recipes/equal_latency_page.py`, from a tiny study to the table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from unblemish.commands.app import main
from unblemish.training.recipe import Recipe

STUDY = {
    "purpose": "which is better?",
    "recipe": "tiny.yaml",
    "seeds": [0],
    "reference": "nafnet",
    "arms": {"nafnet": {}, "searched": {"network.options": {"blocks": 2, "width": 4}}},
    "protocols": ["rgb"],
}


def test_from_a_study_to_the_table(
    recipe_script: Callable[[str], ModuleType],
    recipe: Callable[..., Recipe],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(recipe().model_dump(mode="json", exclude_none=True)))
    Path("study.yaml").write_text(yaml.safe_dump(STUDY))
    timing = recipe_script("equal_latency")
    monkeypatch.setattr(timing, "timed", lambda networks, side, repeats: [0.3, 0.2])
    timing.main(["PF", "--widths", "2", "-o", "equal_latency.json"])
    words = ["unblemish", "compare", "study.yaml", f"data.folder={photos}", "--score", f"set={photos}"]
    monkeypatch.setattr(sys, "argv", [*words, "-o", "equal_latency_noise.json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    text = recipe_script("equal_latency_page").equal_latency_text(tmp_path)
    study = json.loads(Path("equal_latency_noise.json").read_text())
    gain = study["arms"]["searched"]["runs"]["0"]["curve"][-1][1]
    scores = {arm: study["arms"][arm]["scores"] for arm in ("nafnet", "searched")}
    before, after = (one["set/jpeg/rgb/psnr"]["mean"] for one in scores.values())
    assert "`PF` in width 2" in text
    assert "in 0.20 s; nafnet_compact, 1.40 M, in 0.30 s" in text
    assert f"| {gain:+.2f} |" in text
    assert f"| noise | set, jpeg | {study['input']['set/jpeg/rgb/psnr']:.2f}/" in text
    assert f"| {after - before:+.2f} |" in text
    assert "| blur |" not in text
