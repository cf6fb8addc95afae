from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from unblemish.commands.batches import Request, run_batch
from unblemish.errors import UserError


def request(*inputs: Path, **changes: Any) -> Request:
    settings: dict[str, Any] = {
        "output": None, "suffix": "_done", "format": None, "quality": None, "subsampling": "4:4:4",
        "strip_metadata": False, "overwrite": False, "max_pixels": None, "as_json": False, "quiet": False,
    }  # fmt: skip
    return Request(inputs=list(inputs), **settings | changes)


class Nothing:
    """Gives pictures back as they are, and remembers what it was asked."""

    def __init__(self) -> None:
        self.setups = 0
        self.names: list[str] = []

    def setup(self, picture: Any) -> tuple[str, dict[str, Any]]:
        self.setups += 1
        return "does [nothing]", {}

    def treat(self, picture: Any, job: Any, on_progress: Any) -> Any:
        self.names.append(job.source.name)
        on_progress(0.5)
        return picture


def test_the_setup_is_told_once(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = Nothing()
    run_batch(request(photos), "do", lambda: work)
    assert work.setups == 1
    assert work.names == ["a.png", "b.jpg", "c.png"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[0] == "does [nothing]"
    assert shown.err.splitlines()[-1].startswith("3 written, in ")
    assert (photos.parent / "photos_done/deep/c.png").exists()


def test_work_is_prepared_only_where_there_is_some(photos: Path) -> None:
    run_batch(request(photos), "do", Nothing)

    def fail() -> Nothing:
        raise AssertionError

    run_batch(request(photos), "do", fail)
    with pytest.raises(UserError, match="exists already"):
        run_batch(request(photos / "a.png", output=photos / "b.jpg"), "do", fail)


def test_a_picture_is_not_poured_onto_a_terminal(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(UserError, match="standard output is a terminal"):
        run_batch(request(photos / "a.png", output=Path("-")), "do", Nothing)
