from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from unblemish.degradations.catalogue import GRIDS_ELEVEN
from unblemish.evaluation.score_table import ScoreTable


def test_a_table_with_its_protocol_in_every_format(run, photos: Path) -> None:
    outputs = ["-o", "made/t.json", "-o", "made/t.csv", "-o", "made/t.md"]
    damage = ["--with", "jpeg:quality=10", "--with", "clean", "--with", "jpeg:quality=10.0"]
    ran = run("evaluate", photos, *damage, "--network", "tiny", "--network", "other", "--limit", "2", *outputs)
    assert ran.status == 0, ran.err
    assert "| damage | input | tiny | other |" in ran.out
    assert "Protocol rgb on" in ran.out
    assert "JPEG (quality=10.0)" in ran.out
    assert Path("made/t.md").read_text() == ran.out
    written = json.loads(Path("made/t.json").read_text())
    table = ScoreTable.from_dict(written["table"])
    assert [info.name for info in table.sets] == ["jpeg:quality=10.0", "clean"]
    assert [info.pictures for info in table.sets] == [2, 2]
    assert table.mean("clean", "input", "rgb", "psnr") == 100
    assert written["provenance"]["command"].startswith("unblemish evaluate ")
    rows = list(csv.DictReader(Path("made/t.csv").read_text().splitlines()))
    assert {row["method"] for row in rows} == {"input", "tiny", "other"}


def test_the_eleven_with_classical_tools_and_a_sheet(run, photos: Path) -> None:
    words = ["--with", "grids", "--limit", "1", "--classical", "median", "--contact-sheet", "sheet.png"]
    ran = run("evaluate", photos, *words, "--protocol", "y", "-o", "t.json")
    assert ran.status == 0, ran.err
    table = ScoreTable.from_dict(json.loads(Path("t.json").read_text())["table"])
    assert tuple(info.name for info in table.sets) == GRIDS_ELEVEN
    assert set(table.methods) == {"tiny", "median"}
    assert [protocol.name for protocol in table.protocols] == ["y"]
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 4 * 240


def test_sampled_damage_says_so_and_given_values_stand(run, photos: Path) -> None:
    ran = run("evaluate", photos, "--with", "jpeg", "--with", "haze:beta=0.1", "--sampled", "--limit", "1")
    assert ran.status == 0
    assert "JPEG: drawn from the published ranges, seed 0" in ran.out
    assert "beta=0.1" in ran.out


def test_pairs_are_scored_as_they_are(run, photos: Path) -> None:
    shutil.copytree(photos, "pairs/clear")
    assert run("degrade", photos, "-o", "pairs/hazy", "--with", "haze", "--format", "png").status == 0
    ran = run("evaluate", "pairs")
    assert ran.status == 0, ran.err
    assert "| Pairs |" in ran.out
    assert "as found in the files" in ran.out


def test_pairs_of_scenes_are_scored_by_the_names_of_their_folders(run, photos: Path) -> None:
    for scene in ("one", "two"):
        for name in ("blur", "blur_gamma", "sharp"):
            shutil.copytree(photos, f"test/{scene}/{name}")
    for words, names in (([], "blur and sharp"), (["--pairs", "blur_gamma", "sharp"], "blur_gamma and sharp")):
        ran = run("evaluate", "test", *words, "--limit", "2", "-o", "t.json")
        assert ran.status == 0, ran.err
        assert f"as found in the files, {names}." in ran.out
        table = ScoreTable.from_dict(json.loads(Path("t.json").read_text())["table"])
        assert [info.pictures for info in table.sets] == [2]
        assert all(name.startswith("one/") for name in table.values("pairs", "input", "rgb", "psnr"))


def test_the_two_ways_of_clearer(run, photos: Path) -> None:
    # Fields of 8 x 8 pixels, 40 x 56: cropped to 32 x 48, cut into 6.
    words = ["--gray", "--with", "gray_gaussian_noise:sigma=50", "--rounding", "truncated", "--protocol", "clearer"]
    ran = run("evaluate", photos, *words, "--multiple", "16", "--self-ensemble", "--limit", "2", "-o", "t.json")
    assert ran.status == 0, ran.err
    assert "| damage | input | tiny x8 |" in ran.out
    assert "sigma=50, seed 0, gray, truncated to 8 bit, centre crop to multiples of 16." in ran.out
    assert "/photos (2): gray, no crop, not rounded" in ran.out
    whole = ScoreTable.from_dict(json.loads(Path("t.json").read_text())["table"])
    ran = run("evaluate", photos, *words, "--patches", "16", "--limit", "2", "-o", "t.json")
    assert ran.status == 0, ran.err
    assert "/photos, 16 x 16 patches (12): gray" in ran.out
    patches = ScoreTable.from_dict(json.loads(Path("t.json").read_text())["table"])
    assert list(patches.methods) == ["tiny"]
    assert [(info.pictures, info.kind) for info in (*whole.sets, *patches.sets)] == [
        (2, "gray_gaussian_noise"),
        (12, "gray_gaussian_noise"),
    ]
    # The same noise: equal errors, but the mean of logarithms is higher than the logarithm of the mean.
    key = (whole.sets[0].name, "input", "clearer", "psnr")
    for picture, decibels in whole.values(*key).items():
        errors = [10 ** (-value / 10) for name, value in patches.values(*key).items() if name.startswith(picture)]
        assert len(errors) == 6
        assert sum(errors) / 6 == pytest.approx(10 ** (-decibels / 10), rel=1e-5)
    before, after = whole.mean(*key), patches.mean(*key)
    assert before is not None
    assert after is not None
    assert before < after


def test_a_picture_that_cannot_be_scored_fails_the_run_but_not_the_table(run, photos: Path) -> None:
    (photos / "broken.png").write_text("junk")
    ran = run("evaluate", photos, "--with", "jpeg", "-o", "t.md")
    assert ran.status == 1
    assert "| JPEG |" in ran.out
    assert "Not scored (1):" in ran.out
    assert "broken.png: is not a picture" in Path("t.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--with", "jpeg"], "nowhere: no such folder"),
        (["photos"], "holds no pair of subfolders"),
        (["nowhere"], "nowhere: no such folder"),
        (["photos", "--pairs", "blur", "sharp"], "holds no folders blur and sharp side by side"),
        (["photos", "--pairs", "blur", "sharp", "--with", "jpeg"], "give either --pairs or --with"),
        (["photos", "--with", "jepg"], "did you mean jpeg?"),
        (["photos", "--with", "jpeg", "--network", "huge"], "no network 'huge'"),
        (["photos", "--with", "jpeg", "--metric", "taste"], "no metric is called 'taste'"),
        (["photos", "--with", "jpeg", "--protocol", "tv"], "no protocol is called 'tv'"),
        (["photos", "--with", "jpeg", "--classical", "magic"], "no classical tool is called 'magic'"),
        (["photos", "--with", "jpeg", "-o", "t.txt"], "t.txt: tables are written as .json, .csv, .md"),
        (["photos", "--with", "jpeg", "--multiple", "8", "--patches", "8"], "exclude each other"),
        (["photos", "--with", "jpeg", "--protocol", "gray"], "turn pictures to gray (--gray)"),
        (["photos", "--with", "gaussian_noise", "--gray", "--protocol", "gray"], "(gray_gaussian_noise)"),
        (["photos", "--with", "jpeg", "--patches", "64"], "56 x 40 pixels hold no square of 64 x 64"),
        (["photos", "--with", "jpeg", "--contact-sheet", "t.pdf"], "t.pdf: a contact sheet is written as one of .png"),
    ],
)
def test_mistakes_are_told_before_the_work_in_one_line(run, photos: Path, words: list[str], message: str) -> None:
    ran = run("evaluate", *words)
    assert ran.status == 1
    assert message in ran.err
    assert ran.err.startswith("unblemish: ")
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""


def test_a_named_tool_must_be_there_and_all_leaves_out_what_is_not(
    run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unblemish.commands.evaluate import classical_methods
    from unblemish.evaluation import classical

    module = classical._module

    def without_bm3d(name: str, remedy: str) -> object:
        return module("nothing_of_this_name" if name == "bm3d" else name, remedy)

    monkeypatch.setattr(classical, "_module", without_bm3d)
    ran = run("evaluate", photos, "--with", "jpeg", "--classical", "bm3d")
    assert ran.status == 1
    assert "is not installed" in ran.err
    names = [tool.name for tool in classical_methods(["all"])]
    assert names == [name for name in classical.classical_names() if name != "bm3d"]


def test_a_result_that_cannot_be_written_is_one_line(run, photos: Path) -> None:
    Path("file").write_text("")
    ran = run("evaluate", photos, "--with", "jpeg", "--limit", "1", "-o", "file/t.json")
    assert ran.status == 1
    assert ran.err.startswith("unblemish: file")
    assert "check space and permissions" in ran.err
    assert len(ran.err.splitlines()) == 1
