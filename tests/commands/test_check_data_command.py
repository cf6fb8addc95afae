from __future__ import annotations

from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from unblemish.commands.check_data import check_data
from unblemish.pictures.errors import PictureError
from unblemish.training.errors import TrainingError

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


def test_pairs_are_checked_in_every_scene(tmp_path: Path) -> None:
    for scene in ("one", "two"):
        for name in ("blur", "blur_gamma", "sharp"):
            (tmp_path / scene / name).mkdir(parents=True)
            Image.new("RGB", (200, 150)).save(tmp_path / scene / name / "000001.png")
    words = [str(tmp_path), "--pairs", "blur", "sharp"]
    good = CliRunner().invoke(app, words)
    assert good.exit_code == 0
    assert good.output.endswith("2 pairs can be used, 0 cannot.\n")
    (tmp_path / "two/sharp/000001.png").unlink()
    Image.new("RGB", (200, 140)).save(tmp_path / "one/sharp/000001.png")
    Image.new("RGB", (200, 150)).save(tmp_path / "one/sharp/000002.png")
    with pytest.raises(TrainingError, match="none of 3 pictures can be used"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    Image.new("RGB", (200, 150)).save(tmp_path / "one/blur/000002.png")
    lines = CliRunner().invoke(app, words).output.splitlines()
    assert "a pair must have one size, not 200 x 150 and 200 x 140" in lines[0]
    assert "two/blur/000001.png: has no clean original of the same name" in lines[1]
    assert lines[2].endswith("1 pairs can be used, 2 cannot.")


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds no picture"):
        CliRunner().invoke(app, [str(tmp_path)], catch_exceptions=False)
