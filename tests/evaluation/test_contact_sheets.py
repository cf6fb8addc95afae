from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unblemish.degradations.catalogue import create
from unblemish.evaluation.cases import DegradedFolder
from unblemish.evaluation.contact_sheets import SheetRow, contact_sheet, save_sheet, sheet_rows
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.scoring import Method


def flat(red: float, green: float, blue: float, height: int = 20, width: int = 30) -> torch.Tensor:
    return torch.tensor([red, green, blue]).reshape(1, 3, 1, 1).expand(1, 3, height, width)


def test_pictures_stand_in_their_places() -> None:
    rows = [
        SheetRow("first", [flat(1, 0, 0), flat(0, 1, 0)], ["one", "two"]),
        SheetRow("second", [flat(0, 0, 1), None], ["three", ""]),
    ]
    pixels = np.asarray(contact_sheet(["left", "right"], rows, width=30))
    place = {colour: np.argwhere((pixels == colour).all(2)) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))}
    assert all(len(found) == 20 * 30 for found in place.values())
    red, green, blue = (found.min(0) for found in place.values())
    assert red[0] == green[0] < blue[0]
    assert red[1] == blue[1] < green[1]
    assert (pixels[..., :].sum(2) < 200).any()  # black text


def test_large_pictures_are_reduced_and_small_ones_are_not() -> None:
    rows = [SheetRow("x", [flat(1, 0, 0, 100, 200), flat(0, 1, 0, 10, 20)], ["", ""])]
    pixels = np.asarray(contact_sheet(["a", "b"], rows, width=50))
    assert (pixels == (255, 0, 0)).all(2).sum() == 25 * 50
    assert (pixels == (0, 255, 0)).all(2).sum() == 10 * 20


def test_rows_of_sets(photos: Path) -> None:
    (photos / "a.png").write_bytes(b"broken")
    sets = [DegradedFolder(photos, create("gaussian_noise")), DegradedFolder(photos, create("jpeg"))]
    methods = [
        Method("same", lambda x: x),
        Method("denoiser", lambda x: x, applies_to=frozenset({"gaussian_noise"})),
    ]
    rows = sheet_rows(sets, methods, crop=40)
    assert [row.label for row in rows] == [cases.title for cases in sets]
    assert rows[0].captions[0] == "b.png"
    assert rows[0].captions[1] == rows[0].captions[2] == rows[0].captions[3]
    assert rows[0].captions[1].endswith(" dB")
    assert rows[1].pictures[3] is None
    assert all(p is None or p.shape == (1, 3, 40, 40) for row in rows for p in row.pictures)
    assert contact_sheet(["clean", "damaged", "same", "denoiser"], rows).height > 80


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_sheets_are_written(suffix: str, tmp_path: Path) -> None:
    sheet = contact_sheet(["a"], [SheetRow("x", [flat(1, 0, 0)], ["b"])])
    save_sheet(sheet, tmp_path / "new" / f"sheet{suffix}")
    with Image.open(tmp_path / "new" / f"sheet{suffix}") as written:
        assert written.size == sheet.size


def test_what_cannot_be_drawn_or_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs rows"):
        contact_sheet(["a"], [])
    with pytest.raises(ValueError, match="every column"):
        contact_sheet(["a", "b"], [SheetRow("x", [flat(1, 0, 0)], ["b"])])
    sheet = Image.new("RGB", (4, 4))
    with pytest.raises(EvaluationError, match=r"\.png, \.jpg"):
        save_sheet(sheet, tmp_path / "sheet.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="cannot be written"):
        save_sheet(sheet, tmp_path / "file" / "sheet.png")
