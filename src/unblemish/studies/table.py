"""A study's result as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from unblemish.evaluation.markdown import markdown_table
from unblemish.evaluation.metrics import Metric
from unblemish.studies.result import StudyResult, Summary

_NONE = "–"
_UNEQUAL = r"\*"

_Column = tuple[str, str, Metric]
"""Heading, key of the score, metric."""


def to_markdown(result: StudyResult) -> str:
    """Scores of the arms, then their differences to the reference; below them what the numbers are.

    Each cell is the mean over the seeds and, of two and more, the sample standard deviation. Sets with several
    damages show the average over them.
    """
    columns = _columns(result)
    reference = result.study.reference
    parts = [
        f"{result.study.purpose}\n\nScores: mean ± sample standard deviation over the seeds.",
        _scores(result, columns),
    ]
    if differing := [arm for arm in result.arms if arm != reference]:
        parts += [f"Differences to {reference}, paired by seed.", _differences(result, columns, differing)]
    if unequal := [arm for arm in result.arms if not result.equal_budget(arm)]:
        parts.append(
            f"{_UNEQUAL} Of unequal budget: {', '.join(unequal)}. Steps, batch or patch are not those of {reference}, "
            "so that their differences are not those of the method alone."
        )
    parts.append("Seconds are those of training, validations included; compare them where the hardware is the same.")
    for heading, lines in (
        ("Protocols", result.notes("protocols")),
        ("Damage", result.notes("damage")),
        ("Trained on", _hardware(result)),
        ("With features of", result.features()),
        ("Pictures left out", result.notes("failures")),
        ("Not finished", result.missing()),
        ("Not scored yet", result.unscored()),
    ):
        if lines:
            parts.append("\n".join([f"{heading}:", "", *(f"- {line}" for line in lines)]))
    return "\n\n".join(parts) + "\n"


def _columns(result: StudyResult) -> list[_Column]:
    """What is shown: of each set its headline, under every protocol and metric that was computed."""
    known = set(result.keys())
    columns = []
    for one in result.sets:
        for protocol in one.protocols:
            for metric in one.metrics:
                key = one.key(one.headline, protocol.name, metric.name)
                words = [one.name, metric.title, f"({protocol.name})" if len(one.protocols) > 1 else ""]
                if key in known:
                    columns.append((" ".join(filter(None, words)), key, metric))
    return columns


def _scores(result: StudyResult, columns: Sequence[_Column]) -> str:
    before = result.input_scores()
    headings = ["arm", "seeds", "steps", "seconds trained", "seconds a step", *(heading for heading, _, _ in columns)]
    rows = [["input", *[""] * 4, *(f"{before[key]:.{metric.decimals}f}" for _, key, metric in columns)]]
    for arm in result.arms:
        seconds = result.seconds(arm)
        pace = _NONE if seconds is None else f"{seconds.mean / result.recipe(arm).steps:.3g}"
        rows.append(
            [*_budget(result, arm), pace, *(_cell(result.scores(arm, key), metric) for _, key, metric in columns)]
        )
    return markdown_table(headings, rows)


def _differences(result: StudyResult, columns: Sequence[_Column], arms: Sequence[str]) -> str:
    headings = ["arm", "seeds", "steps", "seconds trained", *(heading for heading, _, _ in columns)]
    rows = []
    for arm in arms:
        found = [result.differences(arm, key) for _, key, _ in columns]
        paired = {seed for summary in found if summary for seed in summary.each}
        cells = [_cell(summary, metric, True) for summary, (_, _, metric) in zip(found, columns, strict=True)]
        rows.append([*_budget(result, arm, paired), *cells])
    return markdown_table(headings, rows)


def _budget(result: StudyResult, arm: str, seeds: Collection[int] | None = None) -> list[str]:
    """The first cells of a row: which arm and seeds (of those given), and how long it was trained."""
    seconds = result.seconds(arm)
    mark = "" if result.equal_budget(arm) else " " + _UNEQUAL
    return [
        arm,
        ", ".join(str(one.run.seed) for one in result.of(arm) if seeds is None or one.run.seed in seeds),
        f"{result.recipe(arm).steps}{mark}",
        _NONE if seconds is None else f"{seconds.mean:.4g}",
    ]


def _cell(summary: Summary | None, metric: Metric, signed: bool = False) -> str:
    """One digit more for differences, which are small."""
    if summary is None:
        return _NONE
    decimals, sign = (metric.decimals + 1, "+") if signed else (metric.decimals, "")
    spread = "" if summary.spread is None else f" ± {summary.spread:.{decimals}f}"
    return f"{summary.mean:{sign}z.{decimals}f}{spread}"


def _hardware(result: StudyResult) -> list[str]:
    """One line for each machine, with the runs that it trained."""
    machines: dict[str, list[str]] = {}
    for one in result.runs:
        facts, hardware = one.record["facts"], one.record["hardware"]
        device = hardware["gpu"] if str(facts["device"]).startswith("cuda") else hardware["cpu"]
        threads = hardware["threads"]
        line = f"{facts['devices']} x {device} ({threads} thread{'s' * (threads != 1)})"
        machines.setdefault(line, []).append(one.run.folder.name)
    return [f"{line}: {', '.join(names)}" for line, names in machines.items()]
