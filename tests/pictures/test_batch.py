from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.pictures.batch import STREAM, Event, FileOptions, Job, plan_jobs, run_jobs
from unblemish.pictures.errors import PictureError
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read


def inverted(picture: Picture) -> Picture:
    return picture.with_pixels(255 - picture.pixels)


@pytest.fixture
def folder(tmp_path, photograph) -> Path:
    for name in ("a.png", "b.png", "deep/c.png", "deep/d.png"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph).save(path)
    return tmp_path / "in"


def test_a_folder_is_restored(folder, photograph):
    events: list[Event] = []
    report = run_jobs(plan_jobs([folder], None), inverted, events.append)
    assert (report.count("written"), report.failures, report.interrupted) == (4, [], False)
    for name in ("a.png", "b.png", "deep/c.png", "deep/d.png"):
        assert np.array_equal(read(folder.parent / "in_restored" / name).pixels, 255 - photograph)
        assert np.array_equal(read(folder / name).pixels, photograph)
    assert [event.index for event in events] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [event.outcome is not None for event in events] == [False, True] * 4
    assert {event.total for event in events} == {4}


def test_broken_files_do_not_stop_the_others(folder):
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:500])
    (folder / "deep/c.png").write_text("no picture")
    report = run_jobs(plan_jobs([folder], None), inverted)
    assert (report.count("written"), report.count("failed")) == (2, 2)
    reasons = dict(report.failures)
    assert "is damaged" in reasons[str(folder / "b.png")]
    assert "is not a picture" in reasons[str(folder / "deep/c.png")]
    written = {p.name for p in (folder.parent / "in_restored").rglob("*") if p.is_file()}
    assert written == {"a.png", "d.png"}


def test_faults_of_the_function_are_collected(folder):
    calls = []

    def fail_on_second(picture: Picture) -> Picture:
        calls.append(picture)
        if len(calls) == 2:
            raise RuntimeError("out of\nmemory")
        if len(calls) == 3:
            raise PictureError("too dark; light it up")
        return picture

    report = run_jobs(plan_jobs([folder], None), fail_on_second)
    assert [outcome.state for outcome in report.outcomes] == ["written", "failed", "failed", "written"]
    reasons = [reason for _, reason in report.failures]
    assert reasons[0].endswith("b.png: RuntimeError: out of memory")
    assert reasons[1] == "too dark; light it up"


def test_a_stopped_run_goes_on_where_it_stopped(folder):
    done = []

    def stop_at_third(picture: Picture) -> Picture:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(picture)
        return inverted(picture)

    first = run_jobs(plan_jobs([folder], None), stop_at_third)
    assert first.interrupted
    assert [outcome.state for outcome in first.outcomes] == ["written", "written"]
    out = folder.parent / "in_restored"
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["a.png", "b.png"]
    before = (out / "a.png").stat().st_mtime_ns
    second = run_jobs(plan_jobs([folder], None), inverted)
    assert [outcome.state for outcome in second.outcomes] == ["skipped", "skipped", "written", "written"]
    assert (out / "a.png").stat().st_mtime_ns == before
    third = run_jobs(plan_jobs([folder], None, overwrite=True), inverted, options=FileOptions(overwrite=True))
    assert third.count("written") == 4


def test_options_reach_every_file(folder, photograph, exif):
    Image.fromarray(photograph).save(folder / "tagged.jpg", exif=exif, quality=80)
    options = FileOptions(quality=40, strip_metadata=True, subsampling="4:2:0")
    jobs = plan_jobs([folder], None, format="jpg")
    assert run_jobs(jobs, inverted, options=options).count("written") == 5
    for job in jobs:
        picture = read(job.target)
        assert (picture.jpeg_quality, picture.exif) == (40, None)
    capped = run_jobs(jobs, inverted, options=FileOptions(pixel_cap=100))
    assert all("--max-pixels" in reason for _, reason in capped.failures)


def test_what_is_written_has_the_format_of_the_content(tmp_path, photograph):
    """A file that goes by a wrong suffix comes out as it went in."""
    path = tmp_path / "x.jpg"
    Image.fromarray(photograph).save(path, "PNG")
    report = run_jobs(plan_jobs([path], None), inverted)
    assert report.failures == []
    assert read(tmp_path / "x_restored.jpg").format == "png"


def test_an_original_that_becomes_the_target_is_left_alone(tmp_path, photograph):
    path = tmp_path / "x.png"
    Image.fromarray(photograph).save(path)
    jobs = plan_jobs([path], None)
    os.link(path, tmp_path / "x_restored.png")
    report = run_jobs(jobs, inverted, options=FileOptions(overwrite=True))
    assert "would be written over it" in report.failures[0][1]
    assert np.array_equal(read(path).pixels, photograph)


def test_standard_input_and_output(photograph):
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "PNG")
    out = io.BytesIO()
    report = run_jobs(plan_jobs([STREAM], None), inverted, stdin=io.BytesIO(file.getvalue()), stdout=out)
    assert report.count("written") == 1
    again = read(out.getvalue())
    assert again.format == "png"
    assert np.array_equal(again.pixels, 255 - photograph)
    empty = run_jobs([Job(STREAM, STREAM)], inverted, stdin=io.BytesIO(), stdout=out)
    assert empty.failures == [("-", "standard input: is empty (0 bytes); get a whole copy of the file")]


def test_a_pipe_between_processes(photograph):
    code = (
        "from unblemish.pictures.batch import STREAM, plan_jobs, run_jobs\n"
        "run_jobs(plan_jobs([STREAM], None, format='webp'), lambda picture: picture)"
    )
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "JPEG")
    done = subprocess.run([sys.executable, "-c", code], input=file.getvalue(), capture_output=True, check=True)
    assert done.stderr == b""
    assert read(done.stdout).format == "webp"


def test_the_report_is_json(folder):
    (folder / "b.png").write_bytes(b"")
    Image.new("P", (4, 4)).save(folder / "palette.png")
    report = run_jobs(plan_jobs([folder], None), inverted)
    found = json.loads(report.to_json())
    assert {key: found[key] for key in ("written", "skipped", "failed", "interrupted")} == {
        "written": 4,
        "skipped": 0,
        "failed": 1,
        "interrupted": False,
    }
    by_name = {Path(outcome["source"]).name: outcome for outcome in found["outcomes"]}
    assert by_name["palette.png"]["notes"] == ["palette expanded to RGB"]
    assert "is empty" in by_name["b.png"]["reason"]
    assert found["seconds"] > 0


def test_reading_runs_ahead_by_one_and_no_more(folder, monkeypatch):
    from unblemish.pictures import batch

    order: list[str] = []
    plain_read = batch.read

    def noting_read(path, **options):
        order.append(f"read {path.name}")
        return plain_read(path, **options)

    monkeypatch.setattr(batch, "read", noting_read)
    jobs = plan_jobs([folder], None)

    def note(event: Event) -> None:
        if event.outcome is not None:
            order.append(f"done {event.job.source.name}")

    run_jobs(jobs, inverted, note)
    position = {entry: i for i, entry in enumerate(order)}
    assert position["read c.png"] > position["done a.png"]
    assert position["read d.png"] > position["done b.png"]
    monkeypatch.setattr(batch, "_READ_AHEAD_BYTES", 0)
    order.clear()
    run_jobs(plan_jobs([folder], None, overwrite=True), inverted, note, options=FileOptions(overwrite=True))
    assert order == [f"{what} {name}.png" for name in "abcd" for what in ("read", "done")]


def test_a_picture_that_was_left_alone_keeps_its_file(tmp_path, photograph):
    source, target = tmp_path / "a.jpg", tmp_path / "out/a.jpg"
    Image.fromarray(photograph).save(source, quality=71)
    report = run_jobs([Job(source, target)], lambda picture: picture)
    assert report.count("written") == 1
    assert target.read_bytes() == source.read_bytes()
    stream = io.BytesIO()
    run_jobs([Job(STREAM, STREAM)], lambda picture: picture, stdin=io.BytesIO(source.read_bytes()), stdout=stream)
    assert stream.getvalue() == source.read_bytes()
    again = run_jobs([Job(source, target)], lambda picture: picture)
    assert "exists already" in again.failures[0][1]


@pytest.mark.parametrize(
    ("format", "options"), [("png", {}), (None, {"quality": 50}), (None, {"strip_metadata": True})]
)
def test_a_picture_that_was_left_alone_is_written_anew_where_that_is_asked(tmp_path, photograph, format, options):
    source, target = tmp_path / "a.jpg", tmp_path / f"out.{format or 'jpg'}"
    Image.fromarray(photograph).save(source, quality=71)
    run_jobs([Job(source, target, format)], lambda picture: picture, options=FileOptions(**options))
    assert target.read_bytes() != source.read_bytes()
