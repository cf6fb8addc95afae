from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from unblemish.commands import findings
from unblemish.examination.examination import Examination, Gain, Region, Verdict
from unblemish.examination.generalised_gaussian import GeneralisedGaussian


def regions(*rows: str) -> tuple[tuple[Region, ...], ...]:
    """Squares by the first letter of what was found in them, "." for sound ones."""
    names = {".": "clean", "n": "noise", "b": "blur", "u": "unknown", "c": "clean"}
    return tuple(
        tuple(
            Region(64 * top, 64 * left, 64, 0.02 if sign == "." else 0.9, names[sign], 0.9)
            for left, sign in enumerate(row)
        )
        for top, row in enumerate(rows)
    )


@pytest.fixture
def found() -> Examination:
    return Examination(
        verdict=Verdict.KNOWN,
        group="noise",
        probabilities={"clean": 0.004, "blur": 0.006, "noise": 0.97, "unknown": 0.02},
        distances={"clean": 4.21, "blur": 3.96, "noise": 2.125},
        degradations={"gaussian_noise": 0.81, "poisson_noise": 0.15, "salt_and_pepper": 0.03, "jpeg": 0.01},
        signature=GeneralisedGaussian(1.25, 0.7),
        gain=Gain(8.12, 6.9, 9.4, 0.9),
        regions=regions("nn", "nn"),
        rule="statistics",
        seconds=0.412,
    )


def test_a_block_says_everything(found: Examination) -> None:
    assert findings.block("a.jpg", 120, 80, found).splitlines() == [
        "a.jpg: 120 x 80 pixels",
        "  verdict     known: noise (97% sure)",
        "  likeliest   gaussian noise 81%, poisson noise 15%, salt and pepper 3%",
        "  gain        +8.1 dB (6.9 to 9.4, 90% of cases)",
        "  probability clean <1%, blur 1%, noise 97%, unknown 2%",
        "  distance    clean 4.21, blur 3.96, noise 2.12",
        "  damage      all over (4 of 4 regions)",
        "  seconds     0.41",
    ]


def test_local_damage_is_drawn(found: Examination) -> None:
    text = findings.block("a.jpg", 256, 192, replace(found, regions=regions("..nn", "..nb", ".uc.")))
    lines = text.splitlines()
    at = lines.index("  damage      in part (6 of 12 regions)")
    assert [line.strip() for line in lines[at + 1 : at + 5]] == [
        ". . N N",
        ". . N B",
        ". ? # .",
        ". sound, N noise, B blur, ? unknown, # damaged, hard to say by what",
    ]


def test_every_group_has_a_sign_of_its_own(found: Examination) -> None:
    names = ("blur", "bands", "b", "b2", "unbroken")
    row = tuple(Region(0, 64 * place, 64, 0.9, name, 0.9) for place, name in enumerate(names))
    drawn, legend = findings.region_map((row,))
    assert drawn.split() == ["B", "A", "C", "2", "U"]
    assert legend == "B blur, A bands, C b, 2 b2, U unbroken"


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        (("....", "...."), "nowhere"),
        (("nnnn", "nnnn"), "all over"),
        (("nnnn", "nnn."), "all over"),  # one region of sky among eight
        (("nnnn", "nn.."), "in part"),
        (("....", "...n"), "in part"),
    ],
)
def test_where_the_damage_sits(rows: tuple[str, ...], where: str) -> None:
    assert findings.whereabouts(regions(*rows)) == where


def test_regions_that_hardly_differ_are_not_told_apart() -> None:
    row = tuple(Region(0, 0, 64, damage, "noise", damage) for damage in (0.45, 0.48, 0.55, 0.6))
    assert findings.whereabouts((row,)) == "all over"


def test_clean_and_unknown_have_words_of_their_own(found: Examination) -> None:
    sound = replace(found, regions=regions("...", "..."))
    clean = findings.block("a", 1, 1, replace(sound, verdict=Verdict.CLEAN, gain=Gain(0.0, 0.0, 0.0, 1.0)))
    assert "verdict     clean (<1% sure)" in clean
    assert "gain        none to be had" in clean
    assert "damage      nowhere\n" in clean
    assert "likeliest" not in clean
    unknown = findings.block("a", 1, 1, replace(sound, verdict=Verdict.UNKNOWN, gain=Gain(-0.04, -1.5, 1.4, 0.9)))
    assert "verdict     unknown (nothing can be told surely enough)" in unknown
    assert "gain        +0.0 dB (-1.5 to 1.4, 90% of cases), if it were treated as noise" in unknown
    assert "in the whole picture only, in none of its regions" in unknown


def test_a_rule_that_knows_no_probability_does_not_claim_one(found: Examination) -> None:
    block = findings.block("a", 1, 1, replace(found, rule="divergence"))
    assert "known: noise (by divergence; statistics give it 97%)" in block


@pytest.mark.parametrize("verdict", Verdict)
def test_rows_stand_below_their_heading(found: Examination, verdict: Verdict) -> None:
    found = replace(found, verdict=verdict, distances={"clean": 4.21, "a_very_long_group": 3.96, "noise": 2.14})
    heading, row = findings.heading(list(found.distances)), findings.row("a.jpg", found)
    assert row[heading.index("sure") :].startswith(("97%", " 97%", " <1%", "  2%"))
    for name, value in (("clean", "4.2"), ("a_very_long_group", "4.0"), ("noise", "2.1")):
        end = heading.index(f"  {name}") + 2 + len(name)
        assert row[:end].endswith(f" {value}")
    assert row[heading.index("picture") :] == "a.jpg"
    assert ("+8.1 (6.9 to 9.4)" in row) is (verdict is not Verdict.CLEAN)


def test_json_keeps_every_number(found: Examination) -> None:
    stored = json.loads(json.dumps(findings.to_json(found)))
    assert stored["verdict"] == "known"
    assert stored["finding"] == "known: noise"
    assert stored["confidence"] == 0.97
    assert stored["where"] == "all over"
    assert stored["signature"] == {"alpha": 1.25, "sigma": 0.7}
    assert stored["gain"] == {"expected": 8.12, "low": 6.9, "high": 9.4, "coverage": 0.9}
    assert stored["regions"][1][0] == {
        "top": 64,
        "left": 0,
        "side": 64,
        "damage": 0.9,
        "finding": "noise",
        "treatable": 0.9,
    }
    for name in ("group", "probabilities", "distances", "degradations", "rule", "seconds"):
        assert stored[name] == getattr(found, name)


def test_percentages_do_not_round_to_certainty() -> None:
    assert [findings.percent(p) for p in (0.0, 0.001, 0.014, 0.994, 0.996, 1.0)] == [
        "0%", "<1%", "1%", "99%", ">99%", "100%"
    ]  # fmt: skip


def test_any_file_name_can_be_printed() -> None:
    assert findings.printable(Path("-")) == "standard input"
    findings.printable(Path("odd\udcff.png")).encode()
