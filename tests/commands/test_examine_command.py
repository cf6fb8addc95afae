from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from unblemish.commands import app, console
from unblemish.commands.examine import examine
from unblemish.evaluation import examination_plot
from unblemish.examination.examination import Examination, Gain, Region, Verdict
from unblemish.examination.examiner import RULES
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.pictures.picture import Picture
from unblemish.pictures.reading import read
from unblemish.pictures.writing import encode
from unblemish.restoration import examining


class FakeExaminer:
    """Finds noise in PNG files and nothing in others; stumbles over pictures one pixel high."""

    groups = ("blur", "noise")
    rules = RULES

    def __init__(self) -> None:
        self.signatures = {name: GeneralisedGaussian(1.0, 1.0) for name in ("clean", *self.groups)}
        self.asked: list[tuple[int, str | None]] = []

    def examine(self, picture: Picture, rule: str | None = None) -> Examination:
        self.asked.append((picture.width, rule))
        if picture.height == 1:
            raise RuntimeError("no height\nto speak of")
        damaged = picture.format == "png"
        return Examination(
            verdict=Verdict.KNOWN if damaged else Verdict.CLEAN,
            group="noise",
            probabilities={"clean": 0.02, "blur": 0.01, "noise": 0.96, "unknown": 0.01}
            if damaged
            else {"clean": 0.9, "blur": 0.04, "noise": 0.05, "unknown": 0.01},
            distances={"clean": 4.25, "blur": 3.5, "noise": 2.0},
            degradations={"gaussian_noise": 0.8, "poisson_noise": 0.2},
            signature=GeneralisedGaussian(1.2, 2.5),
            gain=Gain(8.1, 6.9, 9.4, 0.9) if damaged else Gain(0.0, 0.0, 0.0, 1.0),
            regions=((Region(0, 0, 64, 0.9 if damaged else 0.1, "noise" if damaged else "clean", 0.5),),),
            rule=rule or RULES[0],
            seconds=0.25,
        )


def alone() -> typer.Typer:
    """An app of this one command."""
    top = typer.Typer(rich_markup_mode="markdown")
    top.command("examine")(examine)
    top.callback()(lambda: None)
    return top


@pytest.fixture
def examiner(run, monkeypatch: pytest.MonkeyPatch) -> FakeExaminer:
    """What examines."""
    monkeypatch.setattr(app, "app", alone())
    fake = FakeExaminer()
    monkeypatch.setattr(examining, "load_examiner", lambda bundle, device="auto": fake)
    return fake


@pytest.fixture
def sketch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Plots quickly: a byte for a plot; collects the labels."""
    labels: list[str] = []

    def save(picture: Picture, found: Examination, signatures: object, path: Path, label: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"*")
        labels.append(label)

    monkeypatch.setattr(examination_plot, "save_plot", save)
    return labels


def files(folder: Path | str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*.*"))


def test_a_file_gets_a_block(run, photos: Path, examiner: FakeExaminer) -> None:
    before = files(photos)
    ran = run("examine", photos / "a.png")
    assert ran.status == 0, ran.err
    lines = ran.out.splitlines()
    picture = read(photos / "a.png")
    assert lines[0] == f"{photos / 'a.png'}: {picture.width} x {picture.height} pixels"
    assert "  verdict     known: noise (96% sure)" in lines
    assert "  gain        +8.1 dB (6.9 to 9.4, 90% of cases)" in lines
    assert "  distance    clean 4.25, blur 3.50, noise 2.00" in lines
    assert ran.err == ""
    assert files(photos) == before


def test_several_files_get_a_block_each(run, photos: Path, examiner: FakeExaminer) -> None:
    ran = run("examine", "photos/a.png", "photos/b.jpg", "photos/a.png")
    assert re.findall(r"^(\S+): \d+ x \d+ pixels$", ran.out, re.MULTILINE) == ["photos/a.png", "photos/b.jpg"]
    assert "\n\nphotos/b.jpg" in ran.out
    assert len(examiner.asked) == 2


def test_a_folder_gets_a_line_a_picture_and_a_summary(run, photos: Path, examiner: FakeExaminer) -> None:
    ran = run("examine", "photos")
    assert ran.status == 0
    heading, *rows = ran.out.splitlines()
    assert heading.startswith("verdict")
    assert [row.split()[-1] for row in rows] == ["photos/a.png", "photos/b.jpg", "photos/deep/c.png"]
    assert re.fullmatch(r"3 pictures: 2 known: noise, 1 clean, in \d+\.\d s\n", ran.err)
    assert run("examine", "photos", "-q").err == ""


def test_every_number_as_json(run, photos: Path, examiner: FakeExaminer, bundle: Path) -> None:
    Image.new("CMYK", (30, 20)).save(photos / "print.jpg")
    (photos / "empty.png").write_bytes(b"")
    ran = run("examine", "photos", "--json", "--rule", "divergence")
    assert ran.status == 1
    stored = json.loads(ran.out)
    assert stored["bundle"] == str(bundle)
    assert stored["interrupted"] is False
    assert stored["seconds"] > 0
    assert [one["path"] for one in stored["pictures"]] == [
        "photos/a.png", "photos/b.jpg", "photos/print.jpg", "photos/deep/c.png"
    ]  # fmt: skip
    one = stored["pictures"][2]
    assert (one["width"], one["height"], one["plot"], one["rule"]) == (30, 20, None, "divergence")
    assert one["finding"] == "clean"
    assert one["confidence"] == 0.9
    assert one["distances"] == {"clean": 4.25, "blur": 3.5, "noise": 2.0}
    assert "CMYK converted" in one["notes"][0]
    assert "photos/print.jpg: CMYK converted" in ran.err
    assert [one["path"] for one in stored["failures"]] == ["photos/empty.png"]
    assert "is empty" in stored["failures"][0]["reason"]
    assert {rule for _, rule in examiner.asked} == {"divergence"}


def test_what_fails_costs_none_of_the_others(run, photos: Path, examiner: FakeExaminer) -> None:
    (photos / "a_cut.jpg").write_bytes((photos / "b.jpg").read_bytes()[:600])
    Image.new("RGB", (9, 1)).save(photos / "flat.png")
    ran = run("examine", "photos", "none.png", "--quiet")
    assert ran.status == 1
    assert len(ran.out.splitlines()) == 4
    failed = ran.err.splitlines()
    assert failed[0].startswith("failed: photos/a_cut.jpg: ")
    assert failed[1:] == [
        "failed: photos/flat.png: RuntimeError: no height to speak of",
        "failed: none.png: there is no such file; check the name",
    ]


def test_standard_input(run, examiner: FakeExaminer, draw, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(Picture(draw(0, (20, 30, 3)), "png"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    ran = run("examine", "-")
    assert ran.status == 0, ran.err
    assert ran.out.startswith("standard input: 30 x 20 pixels\n")


def test_a_plot_with_a_name(run, photos: Path, examiner: FakeExaminer) -> None:
    ran = run("examine", "photos/a.png", "--plot", "made/found.png")
    assert ran.status == 0, ran.err
    with Image.open("made/found.png") as image:
        assert image.size == (1800, 1050)
    before = Path("made/found.png").read_bytes()
    again = run("examine", "photos/b.jpg", "--plot", "made/found.png")
    assert again.status == 1
    assert "made/found.png: exists already; give another name, or --overwrite" in again.err
    assert Path("made/found.png").read_bytes() == before
    assert run("examine", "photos/b.jpg", "--plot", "made/found.png", "--overwrite").status == 0
    assert Path("made/found.png").read_bytes() != before


def test_plots_in_a_folder(run, photos: Path, examiner: FakeExaminer, sketch: list[str]) -> None:
    (photos / "a.jpg").write_bytes((photos / "b.jpg").read_bytes())
    assert run("examine", "photos", "--plot", "photos/plots").status == 0
    names = ["a.jpg.png", "a.png.png", "b.jpg.png", "deep/c.png.png"]
    assert files("photos/plots") == names
    assert sketch == ["photos/a.jpg", "photos/a.png", "photos/b.jpg", "photos/deep/c.png"]
    Path("photos/plots/b.jpg.png").write_bytes(b"mine")
    Path("photos/plots/a.png.png").unlink()
    sketch.clear()
    again = run("examine", "photos", "--plot", "photos/plots", "--json")
    assert again.status == 0
    assert [one["plot"] for one in json.loads(again.out)["pictures"]] == [f"photos/plots/{name}" for name in names]
    assert sketch == ["photos/a.png"]
    assert "photos/plots/b.jpg.png exists already and is kept; --overwrite draws it anew" in again.err
    assert Path("photos/plots/b.jpg.png").read_bytes() == b"mine"
    run("examine", "photos", "--plot", "photos/plots", "--overwrite")
    assert Path("photos/plots/b.jpg.png").read_bytes() == b"*"


def test_plots_of_several_inputs(run, photos: Path, examiner: FakeExaminer, sketch: list[str]) -> None:
    assert run("examine", "photos/deep", "photos/a.png", "--plot", "plots").status == 0
    assert files("plots") == ["a.png.png", "deep/c.png.png"]
    (photos / "deep" / "a.png").write_bytes((photos / "a.png").read_bytes())
    ran = run("examine", "photos/a.png", "photos/deep/a.png", "--plot", "both")
    assert ran.status == 1
    assert "would both be drawn as both/a.png.png" in ran.err
    assert not Path("both").exists()


def test_a_plot_that_cannot_be_written_loses_no_finding(run, photos: Path, examiner: FakeExaminer) -> None:
    Path("taken").write_bytes(b"")
    stored = json.loads(run("examine", "photos/a.png", "--plot", "taken/a.png", "--json").out)
    assert stored["pictures"][0]["plot"] is None
    assert len(stored["failures"]) == 1
    ran = run("examine", "photos/a.png", "--plot", "taken/a.png")
    assert ran.status == 1
    assert "known: noise" in ran.out
    assert ran.err.startswith("unblemish: taken")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no input; name a picture"),
        (["."], ".: holds no picture"),
        (["photos/none.png"], "photos/none.png: there is no such file"),
        (["photos/a.png", "--max-pixels", "9"], "raise the limit with --max-pixels"),
        (["photos/a.png", "--rule", "guess"], "no rule 'guess': choose statistics or divergence"),
        (["photos/a.png", "--bundle", "nowhere"], "there is no bundle in nowhere"),
        (["photos/a.png", "--plot", "a.pdf"], "a.pdf: plots are written as .png"),
        (["photos/a.png", "--plot", "photos/a.png", "--overwrite"], "choose another output"),
        (["photos/a.png", "photos/b.jpg", "--plot", "a.png"], "a.png: is one file; name a folder"),
        (["photos", "--plot", "photos", "--overwrite"], "photos: holds pictures that are examined"),
    ],
)
def test_mistakes_are_one_line_and_exit_status_1(
    run, photos: Path, examiner: FakeExaminer, words: list[str], message: str, tmp_path: Path
) -> None:
    if words == ["."]:
        photos.rename(tmp_path / ".hidden")
    before = files(tmp_path)
    ran = run("examine", *words)
    assert ran.status == 1
    assert ran.err.startswith("unblemish: ")
    assert message in ran.err
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""
    assert files(tmp_path) == before


def test_without_matplotlib_the_extra_is_named_first(
    run, photos: Path, examiner: FakeExaminer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run("examine", "photos", "--plot", "plots")
    assert ran.status == 1
    assert "unblemish[train]" in ran.err
    assert examiner.asked == []
    assert run("examine", "photos").status == 0


def test_an_interruption_keeps_what_was_found(
    run, photos: Path, examiner: FakeExaminer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FakeExaminer.examine

    def interrupted(picture: Picture, rule: str | None = None) -> Examination:
        if picture.format == "jpeg":
            raise KeyboardInterrupt
        return found(examiner, picture, rule)

    monkeypatch.setattr(examiner, "examine", interrupted)
    ran = run("examine", "photos", "--json")
    assert ran.status == 130
    assert "3 pictures: 1 known: noise, interrupted with 2 left" in ran.err
    stored = json.loads(ran.out)
    assert stored["interrupted"] is True
    assert [one["path"] for one in stored["pictures"]] == ["photos/a.png"]


def test_a_bar_on_a_terminal_takes_no_line_from_a_file(
    run, photos: Path, examiner: FakeExaminer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    monkeypatch.setattr(console, "progress_bar", lambda: Progress(MofNCompleteColumn(), console=terminal))
    ran = run("examine", "photos")
    assert re.findall(r"\d/\d", shown.getvalue())[-1] == "3/3"
    assert "known: noise" not in shown.getvalue()
    assert len(ran.out.splitlines()) == 4


def test_a_bundle_that_examines_nothing_says_so(run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "app", alone())
    ran = run("examine", "photos")
    assert ran.status == 1
    assert "examines no pictures" in ran.err


def test_the_help_explains_distances_and_verdicts(run, examiner: FakeExaminer) -> None:
    words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", run("examine", "--help").out).split())
    assert "A distance is the KL divergence" in words
    for verdict in ("clean: nothing", "known: GROUP: damage", "unknown: damage"):
        assert verdict in words
    assert "130 that the run was interrupted" in words
