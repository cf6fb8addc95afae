from __future__ import annotations

import os
from pathlib import Path

import pytest

from unblemish.pictures.errors import PictureError
from unblemish.pictures.planning import STREAM, Job, plan_jobs


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    """A folder `in` as people have them, and the working folder set to its parent."""
    for name in ("in/a.jpg", "in/b.PNG", "in/deep/er/c.tif", "in/deep/a.jpg", "in/no picture.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("in/Thumbs.db", "in/.hidden.jpg", "in/desktop.ini", "in/.cache/x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(jobs: list[Job]) -> list[str]:
    return [os.path.relpath(job.target) for job in jobs]


def test_a_file_gets_its_result_beside_it(tree):
    assert plan_jobs([Path("in/a.jpg")], None) == [Job(Path("in/a.jpg"), Path("in/a_restored.jpg"))]
    assert targets(plan_jobs([Path("in/b.PNG")], None, suffix="-new")) == ["in/b-new.PNG"]


def test_a_folder_is_mirrored_without_what_is_no_picture(tree):
    jobs = plan_jobs([Path("in")], None)
    assert [str(job.source) for job in jobs] == ["in/a.jpg", "in/b.PNG", "in/deep/a.jpg", "in/deep/er/c.tif"]
    assert targets(jobs) == [
        "in_restored/a.jpg",
        "in_restored/b.PNG",
        "in_restored/deep/a.jpg",
        "in_restored/deep/er/c.tif",
    ]
    assert targets(plan_jobs([Path("in")], Path("out")))[2] == "out/deep/a.jpg"


def test_the_working_folder_can_be_the_input(tree, monkeypatch):
    monkeypatch.chdir(tree / "in")
    assert targets(plan_jobs([Path()], None))[0] == "../in_restored/a.jpg"


def test_output_inside_the_input_is_not_read(tree):
    (tree / "in/done/sub").mkdir(parents=True)
    (tree / "in/done/sub/old.jpg").touch()
    jobs = plan_jobs([Path("in")], Path("in/done"))
    assert all("done" not in str(job.source) for job in jobs)
    assert targets(jobs)[0] == "in/done/a.jpg"


def test_where_a_named_output_is_a_file_and_where_a_folder(tree):
    (tree / "folder.png").mkdir()
    assert targets(plan_jobs([Path("in/a.jpg")], Path("out/x.webp"))) == ["out/x.webp"]
    assert plan_jobs([Path("in/a.jpg")], Path("x.webp"))[0].format == "webp"
    assert targets(plan_jobs([Path("in/a.jpg")], Path("out"))) == ["out/a.jpg"]
    assert targets(plan_jobs([Path("in/a.jpg")], Path("folder.png"))) == ["folder.png/a.jpg"]
    assert targets(plan_jobs([Path("in/a.jpg"), Path("in/b.PNG")], Path("out"))) == ["out/a.jpg", "out/b.PNG"]
    with pytest.raises(PictureError, match=r"x\.gif: no format has this ending; use one of \.png"):
        plan_jobs([Path("in/a.jpg")], Path("x.gif"))
    with pytest.raises(PictureError, match=r"cannot be written here; end the name in \.avif"):
        plan_jobs([Path("in/a.jpg")], Path("x.heic"))


def test_another_format_changes_the_suffix(tree):
    jobs = plan_jobs([Path("in")], Path("out"), format="jpg")
    assert [job.format for job in jobs] == ["jpeg"] * 4
    assert targets(jobs) == ["out/a.jpg", "out/b.jpg", "out/deep/a.jpg", "out/deep/er/c.jpg"]
    with pytest.raises(PictureError, match="its ending says WebP, --format says PNG; make them agree"):
        plan_jobs([Path("in/a.jpg")], Path("x.webp"), format="png")
    with pytest.raises(PictureError, match="choose one of"):
        plan_jobs([Path("in/a.jpg")], None, format="gif")


def test_heic_goes_to_avif(tree):
    (tree / "in/phone.HEIC").touch()
    assert targets(plan_jobs([Path("in/phone.HEIC")], None)) == ["in/phone_restored.avif"]


def test_several_folders_keep_their_names(tree):
    (tree / "other").mkdir()
    (tree / "other/a.jpg").touch()
    jobs = plan_jobs([Path("in/deep"), Path("other"), Path("in/a.jpg")], Path("out"))
    assert targets(jobs) == ["out/deep/a.jpg", "out/deep/er/c.tif", "out/other/a.jpg", "out/a.jpg"]


def test_two_results_of_one_name_are_refused(tree):
    (tree / "in/a.png").touch()
    with pytest.raises(PictureError) as caught:
        plan_jobs([Path("in")], Path("out"), format="webp")
    message = "in/a.jpg and in/a.png would both be written to out/a.webp; rename one, or"
    assert str(caught.value).startswith(message)
    with pytest.raises(PictureError, match=r"would both be written to out/a\.jpg"):
        plan_jobs([Path("in/a.jpg"), Path("in/deep/a.jpg")], Path("out"))


def test_an_input_named_twice_is_one_job(tree):
    jobs = plan_jobs([Path("in/a.jpg"), Path("in/../in/a.jpg"), Path("in/b.PNG")], Path("out"))
    assert targets(jobs) == ["out/a.jpg", "out/b.PNG"]


def test_results_in_the_place_of_inputs_are_refused(tree):
    for output in ("in", "in/../in"):
        with pytest.raises(PictureError, match="would be written over it; choose another output"):
            plan_jobs([Path("in")], Path(output), overwrite=True)
    with pytest.raises(PictureError, match="would be written over it"):
        plan_jobs([Path("in/a.jpg")], Path("in/a.jpg"), overwrite=True)
    (tree / "link").symlink_to(tree / "in")
    with pytest.raises(PictureError, match="would be written over it"):
        plan_jobs([Path("in")], Path("link"), overwrite=True)
    # Not its own input, but another's.
    (tree / "in/a_restored.jpg").touch()
    with pytest.raises(PictureError, match="is an input and would be a result too"):
        plan_jobs([Path("in/a.jpg"), Path("in/a_restored.jpg")], None, overwrite=True)


def test_results_of_an_earlier_run_are_no_inputs(tree):
    (tree / "in/a_restored.jpg").touch()
    jobs = plan_jobs([Path("in/a.jpg"), Path("in/a_restored.jpg"), Path("in/b.PNG")], None)
    assert [(str(job.source), job.finished) for job in jobs] == [("in/a.jpg", True), ("in/b.PNG", False)]


def test_a_single_existing_result_is_an_error_and_a_batch_skips_it(tree):
    (tree / "in_restored").mkdir()
    (tree / "in_restored/a.jpg").touch()
    (tree / "in/a_restored.jpg").touch()
    (tree / "x.png").touch()
    assert [job.finished for job in plan_jobs([Path("in/deep"), Path("in/b.PNG")], Path("out"))] == [False] * 3
    jobs = plan_jobs([Path("in")], None)
    assert [job.source.name for job in jobs if job.finished] == ["a.jpg"]
    assert not any(job.finished for job in plan_jobs([Path("in")], None, overwrite=True))
    for output in (None, Path("x.png"), Path("in_restored")):
        with pytest.raises(PictureError, match="exists already; give another output, or --overwrite to replace it"):
            plan_jobs([Path("in/a.jpg")], output)
        assert len(plan_jobs([Path("in/a.jpg")], output, overwrite=True)) == 1


def test_loops_of_links_end(tree):
    (tree / "in/deep/loop").symlink_to(tree / "in")
    (tree / "in/linked.jpg").symlink_to(tree / "in/deep/a.jpg")
    sources = [str(job.source) for job in plan_jobs([Path("in")], None)]
    assert sources == ["in/a.jpg", "in/b.PNG", "in/linked.jpg", "in/deep/a.jpg", "in/deep/er/c.tif"]


def test_nothing_to_do(tree):
    (tree / "empty").mkdir()
    with pytest.raises(PictureError, match="empty: holds no picture; name a folder with pictures"):
        plan_jobs([Path("empty")], None)
    with pytest.raises(PictureError, match="no input; name a picture"):
        plan_jobs([], None)


def test_a_missing_file_is_left_to_the_reader(tree):
    assert len(plan_jobs([Path("missing.jpg"), Path("in/a.jpg")], Path("out"))) == 2


def test_an_unreadable_folder_is_named(tree, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PictureError, match=r"deep: cannot be listed \(Permission denied\); change its permissions"):
        plan_jobs([Path("in")], None)


def test_streams(tree):
    (tree / "x.png").touch()
    assert plan_jobs([STREAM], None) == [Job(STREAM, STREAM)]
    assert plan_jobs([STREAM], STREAM, format="png") == [Job(STREAM, STREAM, "png")]
    assert plan_jobs([STREAM], Path("y.png")) == [Job(STREAM, Path("y.png"), "png")]
    assert plan_jobs([Path("in/a.jpg")], STREAM) == [Job(Path("in/a.jpg"), STREAM)]
    for inputs, output, words in (
        ([STREAM, Path("in/a.jpg")], None, "- stands for one picture"),
        ([Path("in")], STREAM, "- stands for one picture"),
        ([STREAM], Path("out"), "is a folder; name a file"),
        ([STREAM], Path("x.png"), "exists already"),
    ):
        with pytest.raises(PictureError, match=words):
            plan_jobs(inputs, output)
