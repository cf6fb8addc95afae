"""An examination in words and as JSON, for every command that examines."""

from __future__ import annotations

import os
import string
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from unblemish.examination.examination import Examination, Region, Verdict
from unblemish.examination.examiner import RULES, UNKNOWN
from unblemish.examination.specimens import CLEAN
from unblemish.restoration.locality import LEAST_SHARE

DAMAGED = 0.5
"""Probability from which on a region is drawn as damaged; where regions differ by less, a map says nothing."""

_SOUND, _UNCLEAR, _UNKNOWN = ".#?"
_LIKELIEST = 3
_WHERE = 8


def to_json(found: Examination) -> dict[str, Any]:
    """Every number of an examination, for `json.dumps`."""
    return {
        **asdict(found),
        "verdict": str(found.verdict),
        "finding": found.finding,
        "confidence": found.confidence,
        "where": whereabouts(found.regions),
    }


def percent(share: float) -> str:
    """A probability in whole percent; what is not quite none or all is not rounded to it."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def printable(path: Path) -> str:
    """A path for people, whatever bytes its name is made of; "standard input" for `-`."""
    return "standard input" if str(path) == "-" else os.fsencode(path).decode(errors="replace")


def whereabouts(regions: Sequence[Sequence[Region]]) -> Literal["nowhere", "in part", "all over"]:
    """Where the damage sits, as far as regions tell; "in part" leaves at least a fifth of them sound."""
    damage = [region.damage for row in regions for region in row]
    sound = sum(value < DAMAGED for value in damage)
    if sound == len(damage):
        return "nowhere"
    wide = max(damage) - min(damage) >= DAMAGED
    return "in part" if wide and sound >= LEAST_SHARE * len(damage) else "all over"


def block(label: str, width: int, height: int, found: Examination) -> str:
    """All there is to say about one picture, several lines without an end of line.

    Args:
        label: What the picture is called.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
        found: What its examination found.
    """
    facts = [("verdict", f"{found.finding} ({_certainty(found)})")]
    if found.verdict is not Verdict.CLEAN:
        facts.append(("likeliest", _shares(dict(list(found.degradations.items())[:_LIKELIEST]))))
    facts += [
        ("gain", gain(found)),
        ("probability", _shares(found.probabilities)),
        ("distance", ", ".join(f"{name} {value:.2f}" for name, value in found.distances.items())),
        ("damage", _damage(found)),
    ]
    lines = [f"{label}: {width} x {height} pixels", *(f"  {name:<12}{value}" for name, value in facts)]
    if whereabouts(found.regions) == "in part":
        lines += [" " * 14 + line for line in region_map(found.regions)]
    return "\n".join([*lines, f"  {'seconds':<12}{found.seconds:.2f}"])


def heading(distances: Sequence[str]) -> str:
    """The first line above `row`s.

    Args:
        distances: Names of what distances are measured to: "clean" and the groups.
    """
    names = "".join(f"  {name:>4}" for name in distances)
    verdict = f"{'verdict':<{_verdict_width(distances)}}"
    return f"{verdict}  {'sure':>4}  {'damage':<{_WHERE}}  {_GAIN}{names}  {'s':>5}  picture"


def row(label: str, found: Examination) -> str:
    """What is most important about one picture, in one line."""
    distances = "".join(f"  {value:>{max(4, len(name))}.1f}" for name, value in found.distances.items())
    predicted = f"{found.gain.expected:+z.1f} ({_interval(found)})" if found.verdict is not Verdict.CLEAN else "-"
    return (
        f"{found.finding:<{_verdict_width(list(found.distances))}}  {percent(found.confidence):>4}  "
        f"{whereabouts(found.regions):<{_WHERE}}  {predicted:<{len(_GAIN)}}{distances}  {found.seconds:5.2f}  {label}"
    )


def gain(found: Examination) -> str:
    """The predicted gain with its interval."""
    if found.verdict is Verdict.CLEAN:
        return "none to be had"
    words = f"{found.gain.expected:+z.1f} dB ({_interval(found)}, {percent(found.gain.coverage)} of cases)"
    return words if found.verdict is Verdict.KNOWN else f"{words}, if it were treated as {found.group}"


def region_map(regions: Sequence[Sequence[Region]]) -> list[str]:
    """The regions as characters, a letter for each group, and a legend."""
    present = dict.fromkeys(_finding(region) for row in regions for region in row)
    signs = {CLEAN: _SOUND, "": _UNCLEAR, UNKNOWN: _UNKNOWN}
    for name in present:
        if name not in signs:
            wanted = [sign for sign in name.upper() + string.ascii_uppercase + string.digits if sign.isalnum()]
            signs[name] = next((sign for sign in wanted if sign not in signs.values()), _UNCLEAR)
    words = {CLEAN: "sound", "": "damaged, hard to say by what"}
    drawn = [" ".join(signs[_finding(region)] for region in row) for row in regions]
    return [*drawn, ", ".join(f"{signs[name]} {words.get(name, name)}" for name in present)]


_GAIN = "gain in dB (interval)"


def _verdict_width(distances: Sequence[str]) -> int:
    """Of the column that holds the longest verdict."""
    return max(len(f"known: {name}") for name in distances)


def _certainty(found: Examination) -> str:
    """How sure the verdict is; only the first rule goes by probabilities."""
    sure = percent(found.confidence)
    if found.rule == RULES[0] and found.verdict is Verdict.UNKNOWN and found.confidence < 0.5:
        return "nothing can be told surely enough"
    return f"{sure} sure" if found.rule == RULES[0] else f"by {found.rule}; {RULES[0]} give it {sure}"


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {percent(share)}" for name, share in shares.items())


def _interval(found: Examination) -> str:
    return f"{found.gain.low:z.1f} to {found.gain.high:z.1f}"


def _damage(found: Examination) -> str:
    """Where the damage sits, in words."""
    regions = [region for row in found.regions for region in row]
    damaged = sum(region.damage >= DAMAGED for region in regions)
    if not damaged and found.verdict is not Verdict.CLEAN:
        return "to be seen in the whole picture only, in none of its regions"
    return whereabouts(found.regions) + (
        f" ({damaged} of {len(regions)} regions)" if damaged and len(regions) > 1 else ""
    )


def _finding(region: Region) -> str:
    """`CLEAN`, a group, `UNKNOWN`; or nothing for a damaged region that no kind of damage fits better than none."""
    if region.damage < DAMAGED:
        return CLEAN
    return "" if region.finding == CLEAN else region.finding
