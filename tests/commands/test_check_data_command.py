from __future__ import annotations

from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from unblemish.commands.check_data import check_data
from unblemish.pictures.errors import PictureError

app = typer.Typer()
app.command()(check_data)


def test_a_good_folder_is_fine(tmp_path: Path) -> None:
    Image.new("RGB", (200, 150)).save(tmp_path / "a.png")
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert result.exit_code == 0
    assert "1 pictures can be used, 0 cannot" in result.output


def test_what_cannot_be_used_is_listed_with_exit_status_1(tmp_path: Path) -> None:
    Image.new("RGB", (200, 150)).save(tmp_path / "a.png")
    Image.new("RGB", (200, 50)).save(tmp_path / "thin.png")
    (tmp_path / "junk.png").write_text("junk")
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert result.exit_code == 1
    assert "1 pictures can be used, 2 cannot" in result.output
    assert [line.split(":")[0] for line in result.output.splitlines()[:2]] == ["cannot be used"] * 2
    assert result.output.count("junk.png") == 1
    assert CliRunner().invoke(app, [str(tmp_path), "--patch", "40"]).output.count("cannot be used") == 1


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds no picture"):
        CliRunner().invoke(app, [str(tmp_path)], catch_exceptions=False)
