from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from unblemish.commands import console
from unblemish.commands.restore import Restoration
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import encode, write
from unblemish.restoration.restorer import Restorer


@pytest.fixture
def expected(bundle: Path):
    """What a Restorer of the tiny bundle makes of a file."""
    restorer = Restorer(bundle, device="cpu")
    return lambda path: restorer.restore(read(path)).pixels


def test_a_file_gets_a_restored_one_beside_it(run, photos: Path, expected) -> None:
    before = (photos / "a.png").read_bytes()
    ran = run("restore", photos / "a.png", "--device", "cpu")
    assert ran.status == 0, ran.err
    restored = read(photos / "a_restored.png")
    assert np.array_equal(restored.pixels, expected(photos / "a.png"))
    assert not np.array_equal(restored.pixels, read(photos / "a.png").pixels)
    assert (photos / "a.png").read_bytes() == before
    assert ran.out == ""
    chosen, closing = ran.err.splitlines()
    assert chosen.startswith("tiny: eager on cpu in ")
    assert "tiles of at most" in chosen
    assert "GB of memory" in chosen
    assert closing.startswith(f"{photos / 'a_restored.png'} written in ")


def test_a_folder_is_mirrored_and_a_second_run_skips(run, photos: Path, expected, tmp_path: Path) -> None:
    ran = run("restore", "photos", "-o", "out", "--device", "cpu")
    assert ran.status == 0, ran.err
    made = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.*"))
    assert made == ["a.png", "b.jpg", "deep/c.png"]
    assert np.array_equal(read(tmp_path / "out/deep/c.png").pixels, expected(photos / "deep/c.png"))
    assert "3 written" in ran.err
    (tmp_path / "out/b.jpg").unlink()
    again = run("restore", "photos", "-o", "out", "--device", "cpu")
    assert again.status == 0
    assert "1 written, 2 skipped" in again.err
    anew = run("restore", "photos", "-o", "out", "--overwrite", "-q")
    assert (anew.status, anew.out, anew.err) == (0, "", "")


def test_several_inputs_go_into_one_folder_and_never_onto_each_other(run, photos: Path) -> None:
    assert run("restore", "photos/a.png", "photos/deep", "-o", "out").status == 0
    assert Path("out/a.png").exists()
    assert Path("out/deep/c.png").exists()
    (photos / "a.jpg").write_bytes((photos / "b.jpg").read_bytes())
    ran = run("restore", "photos/a.png", "photos/a.jpg", "-o", "both", "--format", "png")
    assert ran.status == 1
    assert "would both be written" in ran.err
    assert not Path("both").exists()


def test_a_broken_file_costs_nobody_else_and_stands_in_the_table(run, photos: Path) -> None:
    (photos / "empty.png").write_bytes(b"")
    (photos / "cut.jpg").write_bytes((photos / "b.jpg").read_bytes()[:600])
    ran = run("restore", "photos")
    assert ran.status == 1
    assert len(list(Path("photos_restored").rglob("*.*"))) == 3
    table = [line for line in ran.err.splitlines() if line.startswith("failed: ")]
    assert [line.split()[1] for line in table] == ["photos/cut.jpg", "photos/empty.png"]
    assert table[1].endswith("  is empty (0 bytes); get a whole copy of the file")
    assert "3 written, 2 failed" in ran.err.splitlines()[-1]


def test_what_failed_alone_is_one_line(run) -> None:
    ran = run("restore", "none.png", "-q")
    assert ran.status == 1
    assert ran.err == "unblemish: none.png: there is no such file; check the name\n"


def test_a_report_for_machines(run, photos: Path) -> None:
    (photos / "deep" / "empty.png").write_bytes(b"")
    Image.new("CMYK", (30, 20)).save(photos / "print.jpg")
    run("restore", "photos/a.png", "-o", "out")
    ran = run("restore", "photos", "-o", "out", "--json", "--device", "cpu", "--strength", "0.5")
    assert ran.status == 1
    report = json.loads(ran.out)
    assert {key: report[key] for key in ("written", "skipped", "failed", "interrupted")} == {
        "written": 3, "skipped": 1, "failed": 1, "interrupted": False,
    }  # fmt: skip
    states = {one["source"]: one["state"] for one in report["outcomes"]}
    assert states["photos/a.png"] == "skipped"
    assert states["photos/deep/empty.png"] == "failed"
    printed = next(one for one in report["outcomes"] if one["source"] == "photos/print.jpg")
    assert set(printed) == {"source", "target", "state", "reason", "notes", "seconds"}
    assert "CMYK converted" in printed["notes"][0]
    assert "photos/print.jpg: CMYK converted" in ran.err
    assert report["setup"]["network"] == "tiny"
    assert report["setup"]["device"] == "cpu"
    assert report["setup"]["strength"] == 0.5
    assert report["setup"]["tile"] > 0


def test_sixteen_bits_alpha_and_gray_survive(run, draw, tmp_path: Path) -> None:
    alpha = draw(5, (40, 56), "uint16")
    for name, channels in (("colour", 3), ("gray", 1)):
        pixels = draw(1, (40, 56, channels), "uint16")
        write(Picture(pixels, "png", alpha=alpha), tmp_path / f"{name}.png")
        assert run("restore", f"{name}.png").status == 0
        restored = read(tmp_path / f"{name}_restored.png")
        assert restored.pixels.dtype == np.uint16
        assert restored.pixels.shape == pixels.shape
        assert np.array_equal(restored.alpha, alpha)
        assert (restored.pixels % 257 != 0).any()  # not eight bits blown up


def test_strength_and_network_are_passed_on(run, photos: Path) -> None:
    assert run("restore", "photos/a.png", "-o", "same.png", "--strength", "0").status == 0
    assert np.array_equal(read(Path("same.png")).pixels, read(photos / "a.png").pixels)
    ran = run("restore", "photos/a.png", "-o", "other.png", "--network", "other", "--precision", "float32")
    assert ran.err.startswith("other: eager on ")
    assert " in float32" in ran.err


def test_format_and_quality_are_passed_on(run, photos: Path) -> None:
    assert run("restore", "photos/a.png", "--format", "jpg", "--quality", "40").status == 0
    assert read(photos / "a_restored.jpg").jpeg_quality == 40


def test_a_small_budget_makes_small_tiles(run, draw, tmp_path: Path) -> None:
    write(Picture(draw(0, (300, 400, 3)), "png"), tmp_path / "large.png")
    words = ("restore", "large.png", "--precision", "float32", "--json", "-o")
    whole = json.loads(run(*words, "whole.png").out)["setup"]
    tiled = json.loads(run(*words, "tiled.png", "--memory", "4MB").out)["setup"]
    assert whole["tiles"] == 1
    assert tiled["tiles"] > 1
    assert tiled["memory"] == 4_000_000
    both = [read(tmp_path / name).pixels.astype(int) for name in ("whole.png", "tiled.png")]
    assert np.abs(both[0] - both[1]).max() <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no input; name a picture"),
        (["photos/a.png", "--device", "tpu"], "unknown device 'tpu'"),
        (["photos/a.png", "--precision", "int8"], "unknown precision 'int8'"),
        (["photos/a.png", "--engine", "steam"], "unknown engine 'steam'"),
        (["photos/a.png", "--memory", "lots"], "'lots' is no amount of memory"),
        (["photos/a.png", "--network", "huge"], "no network 'huge': choose tiny, other"),
        (["photos/a.png", "--bundle", "nowhere"], "there is no bundle in nowhere"),
        (["photos/a.png", "--format", "gif"], "no picture format 'gif'"),
        (["photos/a.png", "-o", "photos/b.jpg"], "photos/b.jpg: exists already"),
        (["photos/a.png", "-o", "-", "--json"], "cannot share standard output"),
        (["photos/a.png", "--max-pixels", "100"], "raise the limit with --max-pixels"),
    ],
)
def test_mistakes_are_one_line_and_exit_status_1(run, photos: Path, words: list[str], message: str) -> None:
    ran = run("restore", *words, "--quiet")
    assert ran.status == 1
    assert message in ran.err
    assert ran.err.startswith("unblemish: ")
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""
    assert not (photos / "a_restored.png").exists()


def test_an_interruption_keeps_what_is_done(run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    treat = Restoration.treat

    def interrupted(self: Restoration, picture: Picture, job: Any, on_progress: Any) -> Picture:
        if job.source.name == "b.jpg":
            raise KeyboardInterrupt
        return treat(self, picture, job, on_progress)

    monkeypatch.setattr(Restoration, "treat", interrupted)
    ran = run("restore", "photos", "--json")
    assert ran.status == 130
    assert "2 left; what is finished is kept" in ran.err.splitlines()[-1]
    assert json.loads(ran.out)["interrupted"] is True
    assert [path.name for path in Path("photos_restored").rglob("*.*")] == ["a.png"]


def test_the_bar_counts_pictures_on_a_terminal(run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    monkeypatch.setattr(console, "progress_bar", lambda: Progress(MofNCompleteColumn(), console=terminal))
    run("restore", "photos/a.png", "-o", "photos_restored/")
    assert run("restore", "photos").status == 0
    counts = re.findall(r"\d/\d", shown.getvalue())
    assert counts[-1] == "2/2"  # the finished one is not waited for


def test_a_stream_from_pipe_to_pipe(process, photos: Path, draw, expected) -> None:
    ran = process("restore", "-", "--device", "cpu")
    out, err = ran.communicate((photos / "a.png").read_bytes(), timeout=120)
    assert ran.returncode == 0, err
    assert np.array_equal(read(out).pixels, expected(photos / "a.png"))
    assert b"\r" not in err
    assert len(err.splitlines()) == 3  # what was chosen, that it is written, and the line of the fixture


def test_a_reader_that_leaves_is_no_catastrophe(process) -> None:
    noise = np.random.default_rng(0).integers(256, size=(300, 400, 3), dtype=np.uint8)
    ran = process("restore", "-")
    ran.stdout.close()
    ran.stdin.write(encode(Picture(noise, "png")))
    ran.stdin.close()
    err = ran.stderr.read().decode()
    assert ran.wait(timeout=120) == 1
    assert "Exception ignored" not in err
    assert "Traceback" not in err
    assert "Broken pipe" in err


def test_torch_is_only_there_where_there_is_something_to_do(run, process, photos: Path) -> None:
    run("restore", "photos", "-o", "out")
    for words, status, said in (
        (("photos", "-o", "out"), 0, b"3 skipped"),
        (("photos", "photos/b.jpg", "-o", "photos"), 1, b"would be written over it"),
    ):
        ran = process("restore", *words)
        err = ran.communicate(timeout=120)[1]
        assert ran.returncode == status, err
        assert said in err
        assert b"torch: False" in err
