"""The script of examples/ that teaches a bundle new damage, at tiny size."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import unblemish
from unblemish.degradations.catalogue import create
from unblemish.examination import classifier
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.examiner_building import Treated, knowledge_card, teach
from unblemish.restoration.listening import SILENT

SCRIPT = Path(__file__).parents[1] / "examples/learn_new_damage.py"
SIDE = 136
"""Of photographs, pixels: a little more than the crop that a growth validates on."""


@pytest.fixture(autouse=True, scope="module")
def quick(one_thread: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "STEPS", 20)
        yield


def blotches(seed: int) -> Image.Image:
    """Smooth ones of all colours, unlike each other."""
    coarse = np.random.default_rng(seed).integers(256, size=(17, 17, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many as fall into all folds of an examiner's calibration."""
    folder = tmp_path_factory.mktemp("clean_photos")
    for number in range(12):
        blotches(number).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def able(growable: Path, photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that can grow, with an examiner that was calibrated, on groups of JPEG blends and of noise."""
    bundle, folder = Bundle.load(growable), tmp_path_factory.mktemp("able")
    groups = {one.name: Treated(one.degradations, bundle.network(one.network), "") for one in bundle.groups}
    knowledge = teach(bundle.descriptor(), groups, sorted(photographs.iterdir()), folder / "calibration", SILENT)
    card = knowledge_card(knowledge, licence="CC0-1.0", training_set="blotches", recipe="drawn")
    parts = bundle.manifest.examination
    assert parts is not None
    written = Bundle.write(
        folder / "bundle",
        [(entry, bundle.blob(entry)) for entry in bundle.manifest.networks],
        groups=bundle.groups,
        examination=((parts.descriptor, bundle.blob(parts.descriptor)), (card, knowledge.tensors())),
        generators=[(entry, bundle.blob(entry)) for entry in bundle.manifest.generators],
    )
    return written.pack(folder / "able.bundle").path


@pytest.fixture(scope="module")
def foggy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture in haze, of none of the photographs."""
    haze = create("haze")
    clean = torch.from_numpy(np.array(blotches(100))).permute(2, 0, 1)[None] / 255  # (1, 3, SIDE, SIDE)
    hazy = haze.apply(clean, haze.fixed(1, beta=0.15), torch.Generator())[0]
    path = tmp_path_factory.mktemp("pictures") / "foggy.png"
    Image.fromarray((255 * hazy.permute(1, 2, 0)).round().byte().numpy()).save(path)
    return path


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs the script, in this process."""

    def run(*words: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", [SCRIPT.name, *map(str, words)])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    return run


def test_from_unknown_damage_to_a_restored_picture(
    learn: Callable[..., None],
    able: Path,
    photographs: Path,
    foggy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path: path.read_bytes() for path in (able, foggy)}
    learn(able, "haze", photographs, foggy, tmp_path, "--steps", "4")
    said = capsys.readouterr().out.splitlines()
    grown, restored = tmp_path / "grown.bundle", tmp_path / "foggy_restored.png"
    assert said[0] == f"{foggy} by {able}: unknown"
    assert any(line.startswith("joint training of haze: 4 steps") for line in said)
    assert said[-2] == f"{foggy} by {grown}: known: haze"
    assert said[-1].startswith(f"{restored}: haze (")
    assert [group.name for group in Bundle.load(grown).groups] == ["mix", "noise", "haze"]
    expected = unblemish.restore(foggy, bundle=grown, group="haze").pixels
    result = unblemish.read(restored).pixels
    assert np.array_equal(result, expected)
    assert not np.array_equal(result, unblemish.read(foggy).pixels)
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(SystemExit, match=r"foggy_restored.png is there already: move it away"):
        learn(able, "haze", photographs, foggy, tmp_path)


def test_a_bundle_that_has_nothing_to_learn(
    learn: Callable[..., None], able: Path, photographs: Path, tmp_path: Path
) -> None:
    noise, clean, noisy = create("gaussian_noise"), photographs / "0.png", tmp_path / "noisy.png"
    with pytest.raises(SystemExit, match=r"0.png has no damage to learn about: give a damaged picture"):
        learn(able, "haze", photographs, clean, tmp_path)
    x = torch.from_numpy(unblemish.read(clean).pixels).permute(2, 0, 1)[None] / 255  # (1, 3, SIDE, SIDE)
    damaged = noise.apply(x, noise.fixed(1, sigma=30), torch.Generator().manual_seed(0))[0].clamp(0, 1)
    Image.fromarray((255 * damaged.permute(1, 2, 0)).round().byte().numpy()).save(noisy)
    with pytest.raises(SystemExit, match=r"nothing to learn from .*noisy.png: unblemish restore .* treats it"):
        learn(able, "haze", photographs, noisy, tmp_path)
    assert not (tmp_path / "grown.bundle").exists()


def test_a_growth_that_does_not_help(
    learn: Callable[..., None],
    able: Path,
    photographs: Path,
    foggy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unblemish, "grow", lambda *_, **__: Bundle.load(able))
    with pytest.raises(SystemExit, match=r"foggy.png is not taken for rain, .* choose a degradation that looks more"):
        learn(able, "rain", photographs, foggy, tmp_path)
    assert not (tmp_path / "foggy_restored.png").exists()


def test_mistakes_are_explained(
    learn: Callable[..., None], growable: Path, photographs: Path, foggy: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*none.png: there is no such file"):
        learn(growable, "haze", photographs, tmp_path / "none.png", tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*no bundle"):
        learn(tmp_path, "haze", photographs, foggy, tmp_path)
