"""`recipes/search_page.py`, from tiny searches to the page."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from unblemish.architecture_search.found import FoundArchitecture
from unblemish.commands.app import main
from unblemish.training.recipe import Recipe


def test_from_a_search_to_the_page(
    recipe_script: Callable[[str], ModuleType],
    search: Callable[..., Recipe],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("searches", "results", "images"):
        (tmp_path / folder).mkdir()
    made = search(
        search={"training": {"steps": 2}, "baselines": {"random": 1, "seeds": [0]}},
        network__options={"columns": "2/1", "width": 2, "gray": True}, data__gray=True, steps=3,
        degradations__names=["gray_gaussian_noise:sigma=30"],
    )  # fmt: skip
    text = yaml.safe_dump(made.model_dump(mode="json", exclude_none=True))
    (tmp_path / "searches/denoising.yaml").write_text(text)
    drawn = ["--contact-sheet", "images/search_denoising_sheet.jpg"]
    words = ["unblemish", "search", "searches/denoising.yaml", "--baselines", "--score", f"test={photos}"]
    monkeypatch.setattr(sys, "argv", [*words, "-o", "run", "--result", "results/search_denoising.json", *drawn])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    row = {"sigma": 30, "set": "bsds500_test", "rounding": "truncated", "way": "patches"}
    scores = {"input": {"psnr": 18.5, "ssim": 0.3}, "network": {"psnr": 27.123, "ssim": 0.81234}}
    origin = json.loads(Path("results/search_denoising.json").read_text())["provenance"]
    protocol = {"provenance": origin, "networks": {}, "scores": [{**row, **scores}]}
    Path("results/clearer_protocol.json").write_text(json.dumps(protocol))
    Path("results/search_table5_0.10_0.00.json").write_text(Path("results/search_denoising.json").read_text())
    page = recipe_script("search_page")
    names = ("table 1", "table 3", "table 5", "searches", "equal latency")
    Path("page.md").write_text("".join(f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in names))
    for name, place in (("PAGE", "page.md"), ("RESULTS", "results"), ("SEARCHES", "searches"), ("IMAGES", "images")):
        monkeypatch.setattr(page, name, tmp_path / place)
    page.main()
    text = Path("page.md").read_text()
    found = FoundArchitecture.load(Path("run/architecture.json"))
    assert "\nold\n" not in text
    assert "| CLEARER-P | 29.68/0.8439 | 27.49/0.7768 | 26.09/0.7267 |" in text
    assert "| CLEARER-P, here | 27.12/0.8123 | – | – |" in text
    assert "| N3Net | 27.43/– | 26.39/– |" in text
    assert f"| 0.01 | 0.00 | 28.54/0.8203 | 6.31 | 0.06 | `{found.architecture}` | " in text
    assert "| 0.10 | 0.10 | 28.16/0.8041 | 4.36 | – | – | – | – | – |" in text
    assert "| random | – | 28.29/0.8091 | 7.63 | – | `" in text
    assert "### Test" in text
    assert f"Found: `{found.architecture}`, {found.parameters:,} parameters" in text
    assert "Trained from scratch: 2 steps of 2 patches of 32 pixels, every arm alike." in text
    assert "test PSNR (gray)" in text
    assert "Kendall's tau with the trained gain: gain with the supernet's weights" in text
    assert "Regret" in text
    assert "Not measured yet" in text
    assert "![contact sheet](images/search_denoising_sheet.jpg)" in text
    pictures = {"architecture.svg", "denoising.svg", "denoising_alphas.svg", "denoising_sheet.jpg"}
    assert {path.name for path in (tmp_path / "images").iterdir()} == {f"search_{name}" for name in pictures}


def test_the_time_of_modules_is_that_of_the_chosen_ones(recipe_script: Callable[[str], ModuleType]) -> None:
    content = {"found": {"complexity": {"kind": "latency", "modules": [[1e-3, 2e-3], [3e-3, 4e-3]]}}}
    milliseconds = recipe_script("search_page")._milliseconds
    assert milliseconds(content, "P/F") == pytest.approx(5.0)
    assert milliseconds(content, "F/P") == pytest.approx(5.0)
    assert milliseconds(content, "P/P") == pytest.approx(4.0)
