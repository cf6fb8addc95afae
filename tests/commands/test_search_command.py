from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from unblemish.architecture_search.found import FoundArchitecture
from unblemish.commands import console, search_progress
from unblemish.networks.loading import load_described
from unblemish.training.checkpoint import Checkpoint

RECIPE: dict[str, Any] = {
    "purpose": "a test",
    "network": {
        "name": "multiscale_supernet",
        "options": {"columns": "2/1", "width": 2, "gray": True, "residual": True},
    },
    "data": {"folder": "photos", "patch": 32, "gray": True},
    "degradations": {"names": ["gray_gaussian_noise:sigma=50"]},
    "search": {
        "warmup": 2,
        "rate": 0.1,
        "training": {"steps": 4, "optimiser.rate": 0.2},
        "baselines": {"random": 2, "seeds": [0]},
    },
    "optimiser": {"rate": 0.05},
    "validation": {"pictures": 1, "crop": 32, "every": 3},
    "steps": 6,
    "batch": 2,
    "ema": 0,
    "precision": "32-true",
}
FILES = ("architecture.json", "architecture.svg", "alphas.svg", "train.yaml")


@pytest.fixture
def search(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Runs `unblemish search tiny.yaml WORDS...` beside two folders of tiny pictures."""
    for folder, count in (("photos", 5), ("set", 1)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            pixels = np.random.default_rng([number, count]).integers(256, size=(6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((50, 51), Image.Resampling.BICUBIC).save(tmp_path / folder / f"{number}.png")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    return lambda *words: run("search", "tiny.yaml", *words, "--accelerator", "cpu")


def interrupt_at(wanted: int) -> Callable[..., None]:
    def interrupt(self: object, step: int, terms: object, rate: float) -> None:
        if step == wanted:
            signal.raise_signal(signal.SIGINT)

    return interrupt


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return one == other


def test_what_is_found_is_trained_and_restores(
    search: Callable[..., Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    ran = search("--result", "result.json")
    assert ran.status == 0, ran.err
    folder = tmp_path / "runs" / "tiny"
    found = FoundArchitecture.load(folder / "architecture.json")
    assert ran.out.startswith(f"{found.architecture}: {found.parameters:,} parameters")
    assert "  unblemish train runs/tiny/train.yaml -o runs/tiny/final\n" in ran.out
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["found"]["architecture"] == found.architecture
    assert result["search"]["steps"] == found.step == 6
    assert result["search"]["seconds"] == found.seconds > 0
    assert {"cpu", "threads"} <= set(result["search"]["hardware"])
    assert [point["step"] for point in result["alphas"]] == [6]
    assert set(result["alphas"][0]["fusion"]) == {"1.1", "1.2", "2.1"}
    assert "study" not in result

    # The same command does nothing, and leaves the same; what comes after a search does not change it.
    before = {name: (folder / name).read_bytes() for name in (*FILES, "search/last.ckpt")}
    again = search("search.baselines.random=1")
    assert (again.status, again.err, again.out) == (0, "", ran.out)
    assert {name: (folder / name).read_bytes() for name in before} == before
    changed = search("batch=3")
    assert changed.status == 1
    assert "runs/tiny/search: was trained with another recipe (batch differ)" in changed.err

    # The commands that it prints do what they say.
    train, restore, export = (line.split() for line in ran.out.splitlines()[-3:])
    ran = run(*train[1:], "--accelerator", "cpu")
    assert ran.status == 0, ran.err
    assert "4 of 4 steps" in ran.err
    network = load_described(folder / "final" / "best.safetensors")
    assert network.parameter_count == found.parameters
    ran = run(*restore[1:2], "photos/0.png", *restore[3:], "-o", "restored.png")
    assert ran.status == 0, ran.err
    with Image.open(tmp_path / "restored.png") as restored:
        assert restored.size == (50, 51)
    assert export[:2] == ["unblemish", "export"]


def test_a_stopped_search_goes_on_as_if_it_had_not_been(
    search: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert search("-o", "whole").status == 0
    with monkeypatch.context() as patch:
        patch.setattr(search_progress.SearchProgress, "on_step", interrupt_at(4))
        ran = search("-o", "parts")
    assert ran.status == 130
    assert "stopped in search, which is saved; the same command goes on from there" in ran.err
    assert not (tmp_path / "parts" / "architecture.json").exists()
    ran = search("-o", "parts")
    assert ran.status == 0
    assert "steps 5 to 6" in ran.err
    one, other = (Checkpoint.load(tmp_path / name / "search" / "last.ckpt") for name in ("whole", "parts"))
    for part in ("task", "average", "optimiser", "best", "recipe", "step"):
        assert same(getattr(one, part), getattr(other, part)), part
    found = [FoundArchitecture.load(tmp_path / name / "architecture.json").to_dict() for name in ("whole", "parts")]
    assert found[0] | {"seconds": 0} == found[1] | {"seconds": 0}
    weights = [load_file(tmp_path / name / "search" / "final.safetensors") for name in ("whole", "parts")]
    assert same(*weights)


def test_baselines_are_trained_alike_and_ranked(
    search: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("-o", "out", "--baselines", "--score", "tiny=set")
    with monkeypatch.context() as patch:
        patch.setattr(search_progress.SearchProgress, "on_step", lambda *_: None)
        patch.setattr(console.TrainingProgress, "on_step", interrupt_at(2))
        ran = search(*words)
    assert ran.status == 130
    assert "stopped in searched_seed0, which is saved; the same command goes on" in ran.err
    ran = search(*words, "--result", "result.json", "--table", "table.md", "--contact-sheet", "sheet.png")
    assert ran.status == 0, ran.err
    assert "steps 3 to 4" in ran.err
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * 50  # clean, damaged and four networks or more
    assert (tmp_path / "table.md").read_text() in ran.out
    assert "unblemish restore PICTURE --bundle out/trained/searched_seed0/best.safetensors" in ran.out
    assert "Regret: " in ran.out
    result = json.loads((tmp_path / "result.json").read_text())
    arms = result["architectures"]
    assert len(arms) == len({arm["architecture"] for arm in arms.values()})
    roles = [role for arm in arms.values() for role in arm["stands_for"]]
    assert sorted(roles) == ["all_fusion", "all_parallel", "random_1", "random_2", "searched"]
    searched = arms["searched"]
    assert searched["architecture"] == result["found"]["architecture"]
    assert searched["parameters"] == result["found"]["parameters"] == searched["cost"] + fixed_parameters(result)
    assert set(result["study"]["arms"]) == set(arms)
    assert all(arm["equal_budget"] for arm in result["study"]["arms"].values())
    assert "tiny/gray_gaussian_noise:sigma=50.0/gray/psnr" in result["study"]["input"]
    assert {"supernet", "supernet_as_searched", "log_likelihood"} <= set(result["ranking"])
    assert result["ranking"]["supernet"]["count"] == len(arms) >= 4
    gains = {name: arm["gain"]["mean"] for name, arm in arms.items()}
    assert result["regret"]["regret"] == pytest.approx(max(gains.values()) - gains["searched"])
    assert result["regret"]["noise"] is None
    assert result["provenance"]["seeds"] == [0]
    again = search(*words)
    assert (again.err, again.out) == ("", ran.out)


def fixed_parameters(result: dict[str, Any]) -> int:
    """Parameters of a found network besides its columns."""
    found = result["found"]
    letters = found["architecture"].replace("/", "")
    columns = sum(
        pair["PF".index(letter)] for pair, letter in zip(found["complexity"]["modules"], letters, strict=True)
    )
    return found["parameters"] - round(columns)


def test_a_whole_space_is_trained(search: Callable[..., Any], tmp_path: Path) -> None:
    words = (
        "search.baselines={exhaustive: true, seeds: [1]}",
        "search.training={steps: 2}",
        "network.options={columns: 1/1, width: 2}",
        "data.gray=false",
        "degradations.names=[jpeg]",
    )
    ran = search(*words, "search.folder=set", "-o", "out", "--baselines", "--result", "result.json")
    assert ran.status == 0, ran.err
    assert sorted(path.name for path in (tmp_path / "out" / "trained").iterdir()) == [
        "F-F_seed1", "F-P_seed1", "P-F_seed1", "P-P_seed1",
    ]  # fmt: skip
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["exhaustive"]
    assert list(result["regret"]["expected"]) == ["1", "2", "3", "4"]
    gains = sorted(arm["gain"]["mean"] for arm in result["architectures"].values())
    assert result["regret"]["expected"]["4"] == pytest.approx(gains[-1])
    assert result["regret"]["mean"] == pytest.approx(sum(gains) / 4)
    (tmp_path / "set").rename(tmp_path / "moved")
    again = search(*words, "search.folder=moved", "-o", "out")
    assert (again.status, again.err) == (0, "")
    (tmp_path / "moved" / "0.png").rename(tmp_path / "moved" / "1.png")
    other = search(*words, "search.folder=moved", "-o", "out")
    assert other.status == 1
    assert "search.folder differ" in other.err
    assert "exactly" in ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search=null"], "has no part 'search'; add 'search: {warmup: 1000}' and network.name=multiscale_supernet"),
        (["network={name: srresnet}"], "a search trains network.name=multiscale_supernet"),
        (["search.warmpu=3"], "search.warmpu"),
        (["search.training={stpes: 3}"], "stpes"),
        (["network.options.columns=2/x"], "columns='2/x' is not allowed"),
        (["data.folder=nowhere"], "nowhere: no such folder"),
        (["--table", "table.md"], "add --baselines"),
        (["--contact-sheet", "sheet.png"], "add --baselines"),
        (["--baselines", "--contact-sheet", "sheet.png"], "add --score NAME=FOLDER"),
        (["--baselines", "--score", "tiny=set", "--contact-sheet", "sheet.txt"], "sheet.txt"),
        (["--result", "set"], "set: is a folder; give the name of a file"),
        (["--baselines", "search.baselines.random=9"], "search.baselines.random=9 is more than the space of 8"),
        (["--baselines", "--score", "set"], "not of the form NAME=FOLDER"),
        (
            ["--baselines", "network.options.columns=4/4", "search.baselines.exhaustive=true"],
            "all 256 architectures",
        ),
    ],
)
def test_mistakes_show_before_the_search(
    search: Callable[..., Any], tmp_path: Path, words: list[str], message: str
) -> None:
    ran = search(*words)
    assert ran.status == 1
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()
