from __future__ import annotations

import json
from pathlib import Path

import pytest

from unblemish.studies.records import file_digest, folder_digest, read_record, validation_curve
from unblemish.training.errors import TrainingError


def test_what_a_resumption_made_void_is_no_part_of_the_curve(tmp_path: Path) -> None:
    events = [
        {"event": "start", "step": 0},
        {"event": "train", "step": 2, "loss": 0.1},
        {"event": "validation", "step": 2, "gain": 1.0},
        {"event": "validation", "step": 4, "gain": 9.0},
        {"event": "start", "step": 3},
        {"event": "validation", "step": 4, "gain": 2.0},
        {"event": "validation", "step": 5, "gain": 3.0},
        {"event": "start", "step": 4},
    ]
    path = tmp_path / "journal.jsonl"
    torn = '{"event": "train", "ste\n'
    path.write_text(torn.join(json.dumps(event) + "\n" for event in events) + torn)
    assert validation_curve(path) == [(2, 1.0), (4, 2.0)]


def test_a_folder_is_known_by_names_and_sizes(tmp_path: Path) -> None:
    names = []
    for folder, content in (("a", b"one"), ("b", b"two"), ("c", b"three")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(content)
        names.append(folder_digest(tmp_path / folder))
    assert names[0] == names[1] != names[2]
    assert file_digest(tmp_path / "a" / "x.png") != file_digest(tmp_path / "b" / "x.png")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert read_record(path) is None
    path.write_text('{"a": 1}')
    assert read_record(path) == {"a": 1}
    for content in ("{", "[1]"):
        path.write_text(content)
        with pytest.raises(TrainingError, match=r"run\.json: is damaged; delete it"):
            read_record(path)
