"""`recipes/compare_groupings.py` and its page, after a tiny search."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from unblemish.commands.group_search import search
from unblemish.grouping.published import PublishedGroup

NAMES = ["jpeg", "gaussian_noise", "ringing", "haze"]
DISTANCES = [[0, 2.0, 3.0, 5.0], [2.0, 0, 4.0, 5.0], [3.0, 4.0, 0, 5.0], [5.0, 5.0, 5.0, 0]]


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos, others to score on, a recipe, distances and the result of a search."""
    monkeypatch.chdir(tmp_path)
    for folder, count in (("photos", 3), ("others", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            coarse = np.random.default_rng([number, count]).integers(256, size=(9, 9, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(f"{folder}/{number}.png")
    recipe: dict[str, Any] = {
        "purpose": "test",
        "network": {"name": "srresnet", "options": {"blocks": 1, "width": 4}},
        "data": {"folder": "photos", "patch": 16},
        "degradations": {"names": NAMES},
        "validation": {"pictures": 1, "crop": 32},
        "steps": 50,
        "batch": 2,
        "precision": "32-true",
    }
    Path("recipe.yaml").write_text(yaml.safe_dump(recipe))
    Path("similarity.json").write_text(json.dumps({"matrix": {"names": NAMES, "distances": DISTANCES}}))
    search(
        Path("recipe.yaml"), similarity=Path("similarity.json"), threshold=99.0, budget=2, runs=Path("runs"),
        output=Path("search.json"), every=False, backend="process", accelerator="cpu",
    )  # fmt: skip
    return tmp_path


def test_a_search_is_scored_on_other_pictures(
    recipe_script: Callable[[str], ModuleType], searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, pages = recipe_script("compare_groupings"), recipe_script("pages")
    monkeypatch.setattr(module, "PARTITION", (("jpeg", "gaussian_noise"), ("ringing", "haze")))
    entry = PublishedGroup("Table 2(a), experiment 1, higher", {"jpeg": 30.0, "ringing": 31.0}, 2.0)
    monkeypatch.setattr(module, "GROUPS", (entry,))
    monkeypatch.setattr(
        sys, "argv",
        [
            "compare_groupings.py", "recipe.yaml", "--search", "search.json", "--runs", "runs", "--similarity",
            "one=similarity.json", "--pictures", "others", "--crop", "48", "--experiments", "-o", "scored.json",
        ],
    )  # fmt: skip
    module.main()
    scored = json.loads(Path("scored.json").read_text())
    assert scored["budget"] == 2
    assert scored["parts"]["found"]["partition"] == [NAMES]
    assert "2 held-out pictures, central 48 x 48 px" in scored["parts"]["found"]["protocol"]
    paper = scored["parts"]["paper"]
    assert paper["partition"] == [["jpeg", "gaussian_noise"], ["ringing", "haze"]]
    upper, grouped = (paper["rows"][title] for title in ("single-task (upper bound)", "grouped"))
    assert paper["rows"]["difference to upper bound"]["haze"] == pytest.approx(grouped["haze"] - upper["haze"])
    titles = [row["title"] for row in scored["experiments"]]
    expected = ["Table 2(a), experiment 1, higher", "one, most similar", "one, least similar"]
    assert titles == [*expected, "Table 1", "Table 1", "Table 1"]
    for row in scored["experiments"]:
        assert row["largest_drop"] == max(upper[name] - row["psnr"][name] for name in row["group"])
    assert scored["experiments"][1]["group"] == ["jpeg", "gaussian_noise", "ringing"]
    assert scored["experiments"][1]["distance"]["one"] == pytest.approx(3.0)

    page = Path("page.md")
    page.write_text("<!-- groups tiny -->\nold\n<!-- end of groups tiny -->\n")
    monkeypatch.setattr(pages, "GROUPING", page)
    pages.write_groups("tiny", searched / "scored.json", searched / "search.json")
    text = page.read_text()
    assert "old\n" not in text
    assert "1 groups after" in text
    assert f"| 1 | jpeg | {upper['jpeg']:.2f} |" in text
    assert "| one, most similar | jpeg, gaussian noise, ringing | 3.00 |" in text
