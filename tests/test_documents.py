"""What the documents say must be so: commands run, links lead somewhere, the worked example works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("recipes/*.md")]
)
TINY = "data.patch=32 batch=2 validation.pictures=1 validation.crop=32 validation.every=2 optimiser.warmup=1"


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def commands(document: str) -> list[str]:
    lines = "".join(blocks(document, "sh")).splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as a user might have it, with every file that the documents name."""
    example = ROOT / "examples/blocky_cat.jpg"
    for name in (
        "photo.jpg",
        "wet.jpg",
        "holiday/beach/a.jpg",
        "photos/a.jpg",
        "photos/b.jpg",
        "photos/c.jpg",
        "pairs/hazy/a.jpg",
        "pairs/clear/a.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(example, tmp_path / name)
    Image.new("L", (5, 5), 255).save(tmp_path / "kernel.png")
    for name in ("a.png", "scan.png"):
        shutil.copy(ROOT / "examples/blurred_coffee.png", tmp_path / name)
    run("unblemish degrade a.png --with jpeg --format tiff -o b.tif", tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    return tmp_path


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    here = f"PATH={Path(sys.executable).parent}:$PATH; export OMP_NUM_THREADS=1; {command}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", here], cwd=folder, capture_output=True, text=True, check=True
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", ["README.md", "docs/guide.md", "docs/examination.md", "docs/search.md", "docs/deconvolution.md"]
)
def test_every_command_of_the_page_runs(document: str, desk: Path) -> None:
    # Building and growing bundles takes hundreds of trainings' steps; their own tests run the tutorials at tiny size.
    skipped = r"make |unblemish (group build|grow) |.* --bundle (my|grown)\.bundle"
    found = [command for command in commands(document) if not re.match(skipped, command)]
    assert len(found) > 2
    for command in found:
        if " train " in command:
            command = command.replace("steps=20000", f"steps=2 {TINY}")
            if "golf" in command:
                command += " perceptual.embedding=descriptor"
        elif "unblemish search " in command:
            command += f" steps=2 {TINY} search.warmup=1 network.options.width=2 'search.training={{steps: 2}}'"
        elif " bench " in command:
            command += " --size 64 --repeats 1 --engine eager --engine default"
        elif " --with grids " in command:
            command += " --limit 1 --metric psnr"
        run(command, desk)


@pytest.mark.skipif(not (ROOT / ".venv/.installed").exists(), reason="not set up by make")
def test_make_demo_restores_a_real_picture() -> None:
    run("make demo", ROOT)
    assert (ROOT / "build/demo/old_photo_restored.jpg").stat().st_size > 1000


def test_the_python_of_the_pages_runs(desk: Path) -> None:
    for document in ("README.md", "docs/guide.md"):
        for code in blocks(document, "python"):
            for made in ("restored.png", "photo_restored.jpg"):
                (desk / made).unlink(missing_ok=True)
            subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=desk, check=True)
            assert any((desk / made).exists() for made in ("restored.png", "photo_restored.jpg"))


def test_the_python_of_deconvolution_runs(desk: Path) -> None:
    (code,) = blocks("docs/deconvolution.md", "python")
    done = run(f"python -W error -c '{code}'", desk)
    assert "torch.Size([1, 3, 64, 64])" in done.stdout


def test_the_worked_example_of_contributing_is_a_degradation() -> None:
    import torch

    (code,) = blocks("CONTRIBUTING.md", "python")
    names: dict[str, object] = {}
    head = (
        "from collections.abc import Mapping\nimport torch\nfrom torch import Tensor\n"
        "from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, per_picture\n"
    )
    exec(head + textwrap.dedent("   " + code.lstrip(" ")), names)
    vignette = names["Vignette"]()  # pyright: ignore
    damaged = vignette.apply(torch.ones(1, 3, 9, 9), vignette.fixed(1), torch.Generator())
    corner = torch.cos(torch.deg2rad(torch.tensor(30.0))) ** 4
    torch.testing.assert_close(damaged[0, 0, 0, 0], corner)
    assert damaged[0, 0, 4, 4] == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        assert "://" in target or (document.parent / target).exists(), target


def test_examples_are_made_again_alike(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    import numpy as np
    from PIL import Image

    subprocess.run(
        [sys.executable, "examples/make_examples.py", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in (ROOT / "examples").iterdir() if path.suffix in (".jpg", ".png"))
    for name in made:
        old, new = (np.asarray(Image.open(folder / name)).astype(int) for folder in (ROOT / "examples", tmp_path))
        assert abs(old - new).max() <= 2, name
