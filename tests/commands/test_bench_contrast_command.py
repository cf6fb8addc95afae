from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

RECIPE = {
    "purpose": "a test",
    "network": {"name": "srresnet", "options": {"blocks": 1, "width": 8}},
    "data": {"folder": "photos", "patch": 32},
    "degradations": {"names": ["gaussian_noise"]},
    "steps": 1,
    "batch": 2,
}


@pytest.fixture
def bench(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    for variable in ("UNBLEMISH_VGG16", "UNBLEMISH_VGG19", "UNBLEMISH_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(256, size=(40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photos/{number}.png")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    return lambda *words: run("bench", "contrast", "tiny.yaml", *words, "--repeats", "1")


def test_every_loss_that_needs_no_given_negatives(bench: Callable[..., Any], tmp_path: Path) -> None:
    ran = bench("-o", "cost.json")
    assert ran.status == 0, ran.err
    assert [line.split(" | ")[0] for line in ran.out.splitlines()[2:]] == ["| none", "| spn", "| cr", "| pcl"]
    content = json.loads((tmp_path / "cost.json").read_text())
    spn = content["methods"]["spn"]
    assert spn["embedding"]["network"] == "descriptor"
    assert spn["bytes"] > spn["plain_bytes"] > 0
    assert content["provenance"]["command"].startswith("unblemish bench contrast tiny.yaml")


def test_the_loss_of_the_recipe(bench: Callable[..., Any]) -> None:
    ran = bench("contrast={method: spn, steps: [5], negatives_dtype: bfloat16}")
    assert ran.status == 0, ran.err
    assert [line.split(" | ")[0] for line in ran.out.splitlines()[2:]] == ["| none", "| spn"]


def test_without_any_embedding_the_error_says_what_to_do(
    bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLEMISH_BUNDLE", str(tmp_path / "nothing"))
    ran = bench()
    assert ran.status == 1
    assert "set UNBLEMISH_VGG16" in ran.err
