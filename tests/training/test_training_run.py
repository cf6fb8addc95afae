from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from unblemish.networks.catalogue import create
from unblemish.networks.loading import load_weights, save_weights
from unblemish.restoration.methods import build_task as build_with_methods
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.division import load_data
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task, stop_on_signal, train

Make = Callable[..., Recipe]
ROOT = Path(__file__).parents[2]


def journal(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def on_cpu(recipe: Recipe, folder: Path, *watchers: Any, **options: Any) -> Any:
    return train(recipe, folder, accelerator="cpu", callbacks=watchers, **options)


def test_a_run_leaves_everything_in_its_folder(recipe: Make, recorder: Any, photos: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(photos, pictures)
    (pictures / "broken.png").write_text("junk")
    folder, watcher = tmp_path / "runs" / "a", recorder()
    made = recipe(data__folder=str(pictures))
    result = on_cpu(made, folder, watcher, command=["unblemish", "train", "my recipe.yaml"])
    assert watcher.results == [result]
    assert sorted(os.listdir(folder)) == [
        ".lock", "best.safetensors", "final.safetensors", "journal.jsonl", "last.ckpt", "tensorboard", "training.yaml",
    ]  # fmt: skip
    described = yaml.safe_load((folder / "training.yaml").read_text())
    assert Recipe.parse(described["recipe"], "again") == made
    assert described["provenance"]["command"] == "unblemish train 'my recipe.yaml'"
    assert {"torch", "python"} <= set(described["provenance"]["versions"])
    assert "revision" in described["provenance"]
    assert described["history"] == Checkpoint.load(folder / "last.ckpt").history
    assert "step 0: started" in described["history"][0]
    assert "'my recipe.yaml'" in described["history"][0]
    start = journal(folder)[0]
    assert [line.partition(": ")[0] for line in start["broken"]] == [str(pictures / "broken.png")]
    assert start["pictures"] == 4
    assert watcher.facts["protocol"] == start["protocol"]
    assert "RGB" in start["protocol"]


def test_a_signal_saves_and_resuming_ends_the_same(recipe: Make, recorder: Any, tmp_path: Path) -> None:
    made, whole = recipe(), recorder()
    on_cpu(made, tmp_path / "a", whole)
    before = signal.getsignal(signal.SIGTERM)
    first = recorder({3: lambda: signal.raise_signal(signal.SIGTERM)})
    stopped = on_cpu(made, tmp_path / "b", first)
    assert (stopped.step, stopped.steps) == (3, 6)
    assert signal.getsignal(signal.SIGTERM) is before
    second = recorder()
    done = on_cpu(made, tmp_path / "b", second, resume=True)
    assert (done.step, second.started) == (6, 3)
    assert first.steps | second.steps == whole.steps
    one, other = (Checkpoint.load(tmp_path / name / "last.ckpt") for name in "ab")
    for part in ("task", "average"):
        old, new = getattr(one, part), getattr(other, part)
        assert all(torch.equal(old[key], new[key]) for key in old)
    assert [line.partition(":")[0] for line in other.history] == ["step 0", "step 3"]
    scores = [
        [{**line, "time": ""} for line in journal(tmp_path / name) if line["event"] == "validation"] for name in "ab"
    ]
    assert scores[0] == scores[1]


def test_an_older_checkpoint_without_a_newer_key_goes_on(recipe: Make, tmp_path: Path) -> None:
    on_cpu(recipe(steps=3), tmp_path)
    state = Checkpoint.load(tmp_path / "last.ckpt")
    del state.recipe["compile"], state.recipe["ema"], state.recipe["optimiser"]["floor"]
    state.save(tmp_path / "last.ckpt")
    assert on_cpu(recipe(steps=4), tmp_path, resume=True).step == 4


def test_what_may_change_is_noted_and_what_may_not_is_refused(recipe: Make, tmp_path: Path) -> None:
    on_cpu(recipe(steps=3), tmp_path)
    with pytest.raises(TrainingError, match=r"another recipe \(batch, seed differ\)"):
        on_cpu(recipe(steps=6, batch=3, seed=1), tmp_path, resume=True)
    with pytest.raises(TrainingError, match="all 3 steps are done"):
        on_cpu(recipe(steps=3), tmp_path, resume=True)
    on_cpu(recipe(steps=4, optimiser__rate=5e-4, validation__crop=40), tmp_path, resume=True)
    history = Checkpoint.load(tmp_path / "last.ckpt").history
    assert "step 3: optimiser.rate changed from 0.001 to 0.0005" in history


def test_an_occupied_folder_and_a_missing_checkpoint_are_refused(recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        on_cpu(recipe(), tmp_path, resume=True)
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(TrainingError, match="holds a training already; add --resume"):
        on_cpu(recipe(), tmp_path)
    with pytest.raises(TrainingError, match="cannot be made"):
        on_cpu(recipe(), tmp_path / "last.ckpt" / "run")


@pytest.mark.parametrize("lifelong", [{"stage": "experts"}, {"stage": "replay", "restorer": "r"}])
def test_what_learns_on_one_device_alone(
    recipe: Make, tmp_path: Path, lifelong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unblemish.training.run._launch", lambda *_: SimpleNamespace(world_size=2))
    network = {"name": "replay_generator" if "restorer" in lifelong else "lira_compact"}
    with pytest.raises(TrainingError, match=r"on one device, .*; leave out --devices"):
        on_cpu(recipe(network=network, lifelong=lifelong), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_two_processes_never_train_in_one_folder(recipe: Make, recorder: Any, tmp_path: Path) -> None:
    def again() -> None:
        with pytest.raises(TrainingError, match="another process trains here; wait for it"):
            on_cpu(recipe(), tmp_path / "run")

    on_cpu(recipe(), tmp_path / "run", recorder({1: again}))
    assert [entry["event"] for entry in journal(tmp_path / "run")].count("start") == 1


def test_a_failed_start_leaves_no_folder(recipe: Make, tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        on_cpu(recipe(degradations__shrink=4, validation__crop=64), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unwritable_journal_is_a_clear_error(
    recipe: Make, recorder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    watcher = recorder({2: full})
    with pytest.raises(TrainingError, match=r"cannot be written \(No space left on device\)"):
        on_cpu(recipe(), tmp_path, watcher)
    assert watcher.results == [None]


@pytest.mark.parametrize(("devices", "accelerator"), [(1, "gpux"), ("many", "cpu"), (0, "cpu")])
def test_devices_that_cannot_be_had_are_a_clear_error(
    recipe: Make, tmp_path: Path, devices: int | str, accelerator: str
) -> None:
    with pytest.raises(TrainingError, match=f"devices={devices} of accelerator={accelerator} cannot be had"):
        train(recipe(), tmp_path, devices=devices, accelerator=accelerator)


def test_starting_weights_are_taken(recipe: Make, tmp_path: Path) -> None:
    network = create("srresnet", {"blocks": 1, "width": 8})
    save_weights(network, tmp_path / "start.safetensors", {})
    made = recipe(network__start=str(tmp_path / "start.safetensors"))
    started = build_task(made).network.state_dict()
    assert all(torch.equal(value, started[key]) for key, value in network.state_dict().items())
    fresh = build_task(made, use_start=False).network.state_dict()
    assert not torch.equal(fresh["conv_first.weight"], started["conv_first.weight"])


def test_networks_that_enlarge_want_shrunk_pictures(recipe: Make) -> None:
    with pytest.raises(TrainingError, match=r"degradations\.shrink=4"):
        build_task(recipe(network={"name": "srresnet_x4"}))


def test_a_network_that_enlarges_is_trained_on_bicubic_pairs(recipe: Make, tmp_path: Path) -> None:
    enlarging = recipe(
        network={"name": "srresnet_x4", "options": {"blocks": 1, "width": 8}}, degradations={"shrink": 4}
    )
    assert math.isfinite(train(enlarging, tmp_path / "run").best_gain)
    before, after = build_task(enlarging).network, build_task(enlarging).network
    load_weights(after, tmp_path / "run/final.safetensors")
    assert after(torch.zeros(1, 3, 5, 5)).shape == (1, 3, 20, 20)
    assert not torch.equal(before.conv_last.weight, after.conv_last.weight)


def test_a_validation_folder_is_kept_out_of_training(recipe: Make, photos: Path) -> None:
    source, validation = load_data(recipe(validation__folder=str(photos), validation__pictures=2))
    assert len(source) == 4
    assert len(validation.clean) == 2


def test_a_second_signal_is_not_held_back() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have background jobs ignore it
    try:
        with stop_on_signal() as asked:
            signal.raise_signal(signal.SIGINT)
            assert asked.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_signals_alone() -> None:
    seen = []

    def work() -> None:
        with stop_on_signal() as asked:
            seen.append(asked.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


TWO = """
import os, sys
from pathlib import Path
import torch
from unblemish.training import run
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe
from unblemish.training.task import RestorationTask

torch.set_num_threads(1)
out, rank = Path(sys.argv[1]), os.environ.get("LOCAL_RANK", "0")
tasks = []
build = lambda recipe, **k: tasks.append(run.build_task(recipe, **k)) or tasks[-1]
recipe = Recipe.load(out / "recipe.yaml")
run.train(recipe, out / "run", build=build, devices=2, accelerator="cpu")
torch.save(tasks[0].state_dict(), out / f"rank{rank}.pt")

if rank == "1":  # a term that is wrong on one device only must end both, with its name
    RestorationTask.step = lambda self, batch: {
        "loss": (y := self.network(batch.degraded)).mean(), "output": y, "odd": torch.tensor(float("nan"))
    }
else:
    RestorationTask.step = lambda self, batch: {
        "loss": (y := self.network(batch.degraded)).mean(), "output": y, "odd": torch.tensor(0.0)
    }
try:
    run.train(recipe, out / "second", devices=2, accelerator="cpu")
except TrainingError as error:
    (out / f"error{rank}").write_text(str(error))
"""


def test_two_processes_train_one_network(recipe: Make, tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(textwrap.dedent(TWO))
    made = recipe(steps=3, precision="bf16-mixed", network={"name": "nafnet_compact"})
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(made.model_dump(mode="json")))
    done = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "two.py", tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, other = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(one[key], other[key]) for key in one)
    events = journal(tmp_path / "run")
    assert [event["event"] for event in events] == ["start", "validation", "train"]
    assert events[0]["devices"] == 2
    assert "GLOBAL_RANK" not in done.stdout + done.stderr
    single = tmp_path / "single"
    on_cpu(made, single)
    alone = Checkpoint.load(single / "last.ckpt").task
    assert not torch.equal(alone["network.intro.weight"], one["network.intro.weight"])
    for rank in (0, 1):
        assert "'odd' is nan" in (tmp_path / f"error{rank}").read_text()


def stages_before(recipe: Recipe, folder: Path) -> list[str]:
    """Tiny weights of what a stage of LIRA starts from, and the keys that name them."""
    tiny = {
        "lira": {"width": 16, "coarse_width": 16, "blocks": 2},
        "lira_naf": {"width": 4, "coarse_width": 8},
        "nafnet_compact": {"width": 4},
        "replay_generator": {"width": 4, "blocks": 1},
    }
    options = {**tiny.get(recipe.network.name, {}), **recipe.network.options}
    for name, kept in tiny.items():
        told = {"network": name, "options": json.dumps(kept)}
        save_weights(create(name, kept), folder / f"{name}.safetensors", told)
    lira, generator = folder / "lira.safetensors", folder / "replay_generator.safetensors"
    experts = folder / "nafnet_compact.safetensors" if recipe.network.name == "lira_naf" else lira
    keys = {
        "experts": [],
        "join": [f"lifelong.experts={experts}"],
        "replay": [f"lifelong.restorer={lira}"],
        "grow": [f"lifelong.old={lira}", f"lifelong.replay=[{generator}]"],
    }
    return [f"network.options={json.dumps(options)}", *keys[recipe.lifelong.stage]] if recipe.lifelong else []


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_runs(path: Path, photos: Path, tmp_path: Path) -> None:
    pairs = [f"data.folder={photos}", "data.patch=32", "data.scales=[1.0]", "steps=2", "batch=1"]
    pairs += ["optimiser.warmup=0", "validation.pictures=1", "validation.crop=32", "validation.folder=null"]
    whole = Recipe.load(path)
    if whole.perceptual:
        pairs.append("perceptual.embedding=descriptor")
    if whole.golf:
        save_weights(create("golf_first"), tmp_path / "first.safetensors", {})
        pairs.append(f"golf.first={tmp_path / 'first.safetensors'}")
    pairs += stages_before(whole, tmp_path)
    made = Recipe.load(path, pairs).model_copy(update={"compile": False})
    result = train(made, tmp_path / "run", build=build_with_methods, accelerator="cpu")
    assert result.step == 2
    assert path.read_text().startswith("# Purpose:")


def test_pictures_smaller_than_the_patch_do_not_stop_the_others(recipe: Make, photos: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(photos, pictures)
    Image.new("RGB", (20, 20)).save(pictures / "tiny.png")
    assert on_cpu(recipe(data__folder=str(pictures), steps=3), tmp_path / "run").step == 3
