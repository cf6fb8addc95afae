from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from unblemish.evaluation.provenance import provenance, revision, versions, write_result

SOURCE = "unblemish.evaluation.provenance._SOURCE"


def test_provenance_says_what_ran_where_and_with_what() -> None:
    found = provenance(["unblemish", "evaluate", "my photos"], seeds=[0, 1], seconds=1.23456)
    assert json.loads(json.dumps(found)) == found
    assert (found["command"], found["seeds"], found["seconds"]) == ("unblemish evaluate 'my photos'", [0, 1], 1.235)
    assert found["date"].endswith("+00:00")
    assert found["hardware"]["cores"] >= 1
    assert found["hardware"]["cpu"]
    assert {"python", "torch", "numpy"} <= versions().keys()


def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with one commit that pretends to be this project's; returns its source folder."""
    source = folder / "src" / "unblemish"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("")
    author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        [*author, "commit", "--quiet", "--no-gpg-sign", "-m", "first"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    monkeypatch.setattr(SOURCE, source)
    return source


def test_revision_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = checkout(tmp_path, monkeypatch)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, capture_output=True, text=True, check=True)
    assert revision() == {"commit": head.stdout.strip(), "dirty": False}
    (source / "new.py").write_text("")
    assert revision() == {"commit": head.stdout.strip(), "dirty": True}


def test_an_installed_copy_does_not_report_another_projects_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkout(tmp_path, monkeypatch)
    installed = tmp_path / "site-packages" / "unblemish"
    installed.mkdir(parents=True)
    monkeypatch.setattr(SOURCE, installed)
    assert revision() is None
    monkeypatch.setattr(SOURCE, source)
    monkeypatch.setenv("PATH", "")
    assert revision() is None


def test_results_are_written_sorted_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "results" / "x.json"
    write_result(path, {"b": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_result(path, {"a": float("inf")})
    write_result(path, {"c": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"c": 2}
    with pytest.raises(OSError, match="directory"):
        write_result(tmp_path / "results", {})
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["results", "x.json"]
