from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unblemish.training import checkpoint as module
from unblemish.training.checkpoint import Checkpoint
from unblemish.training.errors import TrainingError
from unblemish.training.recipe import Recipe


@pytest.fixture
def state(recipe: Callable[..., Recipe]) -> Checkpoint:
    state = Checkpoint.start(recipe())
    state.step, state.task = 3, {"weight": torch.arange(4.0)}
    return state


def test_what_is_saved_is_loaded(state: Checkpoint, tmp_path: Path) -> None:
    state.save(tmp_path / "last.ckpt")
    loaded = Checkpoint.load(tmp_path / "last.ckpt")
    assert torch.equal(loaded.task.pop("weight"), state.task.pop("weight"))
    assert loaded == state
    assert loaded.best == {"gain": -math.inf, "step": 0}
    assert os.listdir(tmp_path) == ["last.ckpt"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("writer failed\nat 7")])
def test_a_failed_save_is_an_error_and_the_older_file_stays(
    state: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "last.ckpt"
    state.save(path)
    before = path.read_bytes()

    def half_a_save(content: object, file: object) -> None:
        file.write(b"half")  # pyright: ignore
        raise error

    monkeypatch.setattr(module.torch, "save", half_a_save)
    with pytest.raises(TrainingError, match=r"last\.ckpt: the checkpoint cannot be written") as caught:
        state.save(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.ckpt"]


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        Checkpoint.load(tmp_path / "last.ckpt")


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk"])
def test_junk_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        Checkpoint.load(path)


def test_a_cut_off_file_is_refused(state: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    state.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        Checkpoint.load(path)


@pytest.mark.parametrize("content", [{"format": 99}, {"weight": torch.zeros(1)}, [1]])
def test_another_programs_file_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(TrainingError, match="not a checkpoint of format 1"):
        Checkpoint.load(tmp_path / "last.ckpt")


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"format": 1, "step": Path("x")}, tmp_path / "last.ckpt")
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        Checkpoint.load(tmp_path / "last.ckpt")
