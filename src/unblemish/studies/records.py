"""What runs of a study leave in their folders, and names for the files they were made from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from unblemish.networks.loading import sha256
from unblemish.pictures.folders import inventory
from unblemish.training.errors import TrainingError


def folder_digest(folder: Path) -> str:
    """A name for the pictures in and below a folder: equal where paths below it and sizes are.

    Raises:
        PictureError: There is no such folder, or no picture in it.
    """
    return hashlib.sha256(json.dumps(inventory(folder)).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """A name for a file's content."""
    return sha256(path)[:16]


def read_record(path: Path) -> dict[str, Any] | None:
    """A JSON object that a run left; None where there is no such file.

    Raises:
        TrainingError: It cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise TrainingError(f"{path.parent}: is in a file, not in a folder; choose another --runs") from error
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: is damaged; delete it, and what it held is made again")
    return content


def validation_curve(journal: Path) -> list[tuple[int, float]]:
    """Steps and mean gains in dB of the validations that a journal tells of, see `standing`.

    Raises:
        OSError: The journal cannot be read.
    """
    return [(entry["step"], entry["gain"]) for entry in standing(journal, "validation")]


def validations(journal: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and scores of the validations that a journal tells of, by what was scored, see `standing`.

    Raises:
        OSError: The journal cannot be read.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for entry in standing(journal, "validation"):
        for name, score in entry.items():
            if isinstance(score, float):
                found.setdefault(name, []).append((entry["step"], score))
    return found


def standing(journal: Path, event: str) -> list[dict[str, Any]]:
    """The lines of an event that a journal tells of, by step.

    Lines that a resumption made void are left out, see `callbacks.Journal`, and those that a kill tore.

    Raises:
        OSError: The journal cannot be read.
    """
    found: dict[int, dict[str, Any]] = {}
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["event"] == "start":
            found = {step: one for step, one in found.items() if step <= entry["step"]}
        elif entry["event"] == event:
            found[entry["step"]] = entry
    return [found[step] for step in sorted(found)]
