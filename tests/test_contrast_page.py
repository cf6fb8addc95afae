"""`recipes/contrast_page.py` and `recipes/contrast_gradients.py`, from a tiny study to the page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from unblemish.commands.app import main

RECIPE = {
    "purpose": "test",
    "network": {"name": "srresnet", "options": {"blocks": 1, "width": 4}},
    "data": {"folder": "nowhere", "patch": 16},
    "degradations": {"names": ["gaussian_noise", "jpeg"]},
    "validation": {"pictures": 1, "crop": 32, "every": 2},
    "steps": 2,
    "batch": 2,
}
STUDY = {
    "purpose": "does it help?",
    "recipe": "tiny.yaml",
    "seeds": [0, 1],
    "reference": "none",
    "arms": {
        "none": {},
        "longer": {"steps": 3},
        "spn_often": {"contrast.method": "spn", "contrast.embedding": "descriptor", "contrast.steps": [1]},
    },
}


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.chdir(tmp_path)

    def run(program: Callable[[], None], *words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["program", *words])
        status = None
        try:
            program()
        except SystemExit as ended:
            status = ended.code
        assert not status

    return run


def test_from_a_study_to_the_page(
    call: Callable[..., None],
    recipe_script: Callable[[str], ModuleType],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("UNBLEMISH_VGG16", "UNBLEMISH_VGG19"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "studies").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "studies/tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    (tmp_path / "studies/small.yaml").write_text(yaml.safe_dump(STUDY))
    data = f"data.folder={photos}"
    study = ["compare", "studies/small.yaml", data, "--score", f"set={photos}", "--runs", "runs"]
    call(main, *study, "--seed", "0")
    call(main, *study, "--arm", "none", "--arm", "spn_often", "-o", "results/contrast_small.json")
    call(main, "bench", "contrast", "studies/tiny.yaml", data, "--repeats", "1", "-o", "results/bench_contrast.json")
    gradients = recipe_script("contrast_gradients")
    call(gradients.main, "runs/spn_often_seed0", "--batches", "2", "-o", "results/contrast_gradients.json")
    page = recipe_script("contrast_page")
    names = ("gains", "cost", "gradients", "studies")
    (tmp_path / "page.md").write_text("".join(f"<!-- {name} -->\nold\n<!-- end of {name} -->\n" for name in names))
    for name, place in (("PAGE", "page.md"), ("RESULTS", "results"), ("STUDIES", "studies"), ("IMAGES", "images")):
        monkeypatch.setattr(page, name, tmp_path / place)
    page.main()
    text = (tmp_path / "page.md").read_text()
    assert "\nold\n" not in text
    assert "### Does it help?" in text
    assert "| `small` | srresnet | 2 | set | " in text
    assert "Features: descriptor (spn_often)." in text
    assert "| arm | s a step | set PSNR (rgb) | set SSIM (rgb) |" in text
    assert r"| longer \* (seeds 0) | " in text
    assert r"\* Of another budget: steps 3." in text
    assert "seeds 0, 1. Mean over the seeds" in text
    assert "Not trained: longer_seed1." in text
    assert "| runs/spn_often_seed0 | " in text
    assert "One step of `srresnet`, 2 patches of 16 pixels" in text
