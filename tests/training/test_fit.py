from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import load_file

from unblemish.training import fit as module
from unblemish.training.batches import draw_batch, step_seed
from unblemish.training.callbacks import FitResult
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.data import PatchSource
from unblemish.training.division import load_data
from unblemish.training.errors import TrainingError
from unblemish.training.fit import fit
from unblemish.training.recipe import Recipe
from unblemish.training.run import build_task
from unblemish.training.synthesis import Synthesis
from unblemish.training.task import Batch

Make = Callable[..., Recipe]


def run(recipe: Recipe, folder: Path, **options: Any) -> tuple[FitResult, Checkpoint]:
    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    state = options.pop("state", None) or Checkpoint.start(recipe)
    folder.mkdir(exist_ok=True)
    result = fit(recipe, build_task(recipe), load_data(recipe), folder, fabric=fabric, state=state, **options)
    return result, state


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return one == other


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_stopping_and_going_on_is_the_same_bit_for_bit(
    recipe: Make, recorder: Any, tmp_path: Path, precision: str
) -> None:
    made = recipe(precision=precision, validation__every=2)
    whole, first, second = recorder(), recorder(), recorder()
    _, straight = run(made, tmp_path / "a", callbacks=[whole])
    stopped, _ = run(made, tmp_path / "b", callbacks=[first], should_stop=lambda: 3 in first.steps)
    assert (stopped.step, stopped.steps) == (3, 6)
    assert not (tmp_path / "b" / "final.safetensors").exists()
    torch.manual_seed(123)
    resumed = Checkpoint.load(tmp_path / "b" / "last.ckpt")
    done, resumed = run(made, tmp_path / "b", callbacks=[second], state=resumed)
    assert done.step == 6
    for part in ("task", "average", "optimiser", "best", "recipe", "step"):
        assert same(getattr(straight, part), getattr(resumed, part)), part
    assert first.steps | second.steps == whole.steps
    assert first.validations | second.validations == whole.validations
    for name in ("final.safetensors", "best.safetensors"):
        assert same(load_file(tmp_path / "a" / name), load_file(tmp_path / "b" / name))


def test_a_denoiser_learns(recipe: Make, recorder: Any, tmp_path: Path) -> None:
    watcher = recorder()
    made = recipe(
        steps=60,
        batch=8,
        degradations={"names": ["gaussian_noise"]},
        network__options={"blocks": 2, "width": 16},
        optimiser={"rate": 3e-3, "warmup": 5},
        ema=0.9,
        validation__every=60,
    )
    result, _ = run(made, tmp_path, callbacks=[watcher])
    losses = [terms["loss"] for terms, _ in watcher.steps.values()]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    assert result.best_gain > 3


def test_events_come_in_order_with_rates_and_the_best_marked(recipe: Make, recorder: Any, tmp_path: Path) -> None:
    watcher = recorder()
    result, state = run(recipe(), tmp_path, callbacks=[watcher])
    assert list(watcher.steps) == [1, 2, 3, 4, 5, 6]
    assert [rate for _, rate in watcher.steps.values()][:3] == pytest.approx([5e-4, 1e-3, 1e-3])
    assert list(watcher.validations) == [3, 6]
    assert set(watcher.validations[3][0]) == {"gaussian_noise", "jpeg", "clean", "gain"}
    gains = {step: scores["gain"] for step, (scores, _) in watcher.validations.items()}
    best = max(gains, key=lambda step: gains[step])
    assert state.best == {"gain": gains[best], "step": best}
    assert (result.best_gain, result.best_step) == (gains[best], best)
    assert watcher.validations[3][1]
    assert watcher.validations[6][1] == (gains[6] > gains[3])


def test_weights_say_what_they_are(recipe: Make, tmp_path: Path) -> None:
    _, state = run(recipe(), tmp_path)
    with safe_open(tmp_path / "final.safetensors", "pt") as file:
        facts = file.metadata()
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    assert json.loads(facts["options"]) == {"blocks": 1, "width": 8}
    assert (facts["network"], facts["step"]) == ("srresnet", "6")
    assert same(weights, dict(state.average))


def test_two_batches_are_validated_before_the_first_step(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def score(self: object, network: object, device: object, batches: int | None, path: object) -> dict[str, float]:
        asked.append(batches)
        raise TrainingError("seen")

    monkeypatch.setattr(module.Validation, "score", score)
    with pytest.raises(TrainingError, match="seen"):
        run(recipe(), tmp_path)
    assert asked == [2]


def test_checkpoints_come_as_often_as_asked(recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(Checkpoint, "save", lambda self, path: saved.append(self.step))
    run(recipe(save_every=4), tmp_path)
    assert saved == [4, 6]


def test_a_failed_save_stops_the_run(
    recipe: Make, recorder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    watcher = recorder()
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="No space left"):
        run(recipe(save_every=2), tmp_path, callbacks=[watcher])
    assert list(watcher.steps) == [1, 2]


def test_a_failed_training_keeps_the_last_checkpoint(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = draw_batch

    def poisoned(recipe: Recipe, source: Any, synthesis: Any, seed: int, device: torch.device) -> Any:
        batch = draw(recipe, source, synthesis, seed, device)
        return batch if seed != step_seed(recipe.seed, 0, 4) else Batch(batch.degraded, batch.clean * float("nan"))

    monkeypatch.setattr(module, "draw_batch", poisoned)
    with pytest.raises(TrainingError, match="step 4: 'loss' is nan"):
        run(recipe(save_every=2), tmp_path)
    kept = Checkpoint.load(tmp_path / "last.ckpt")
    assert kept.step == 2
    assert all(bool(tensor.isfinite().all()) for tensor in kept.task.values())


def test_seeds_differ_by_seed_rank_and_step_and_stay_for_ever() -> None:
    seeds = {step_seed(seed, rank, step) for seed in range(3) for rank in range(3) for step in range(3)}
    assert len(seeds) == 27
    assert all(0 <= seed < 2**63 for seed in seeds)
    # Checkpoints of older versions go on with the same patches only while this holds.
    assert step_seed(0, 0, 1) == 3857964456596338571


def test_batches_depend_on_step_and_rank_alone(recipe: Make) -> None:
    made = recipe()
    source: PatchSource = load_data(made)[0]
    synthesis = Synthesis(made.degradations.names)

    def draw(rank: int, step: int) -> torch.Tensor:
        batch = draw_batch(made, source, synthesis, step_seed(0, rank, step), torch.device("cpu"))
        assert batch.clean.is_contiguous(memory_format=torch.channels_last)
        return torch.cat([batch.degraded, batch.clean, torch.rand(1, 3, 32, 32)])  # and what a task would draw

    first = draw(0, 5)
    assert torch.equal(first, draw(0, 5))
    assert not torch.equal(first, draw(1, 5))
    assert not torch.equal(first, draw(0, 6))
