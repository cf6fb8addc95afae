from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from unblemish.pictures.errors import PictureError
from unblemish.pictures.folders import find_pictures


def test_pictures_are_found_in_all_folders_sorted_and_hidden_ones_not(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/.d.png", ".hidden/e.png", "notes.txt", "a/f.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_pictures(tmp_path) == [tmp_path / name for name in ("b.png", "a/c.JPG", "a/f.tiff")]


def test_a_missing_folder_a_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="none: no such folder"):
        find_pictures(tmp_path / "none")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(PictureError, match="no such folder"):
        find_pictures(tmp_path / "notes.txt")
    with pytest.raises(PictureError, match="holds no picture"):
        find_pictures(tmp_path)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir
    (tmp_path / "locked").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")

    def guarded(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PictureError, match=r"locked: cannot be listed \(Permission denied\)"):
        find_pictures(tmp_path)
