"""Score tables as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json

from unblemish.evaluation.cases import CLEAN
from unblemish.evaluation.protocol import Protocol
from unblemish.evaluation.score_table import INPUT, MetricInfo, ScoreTable

_NONE = "–"


def to_markdown(table: ScoreTable) -> str:
    """One table a protocol: a row for each set, a column for each method, its metrics joined by slashes.

    Below the rows stand the averages over the damaged sets and their gains over the input; then the failures.
    """
    parts = [_section(table, protocol) for protocol in table.protocols]
    precisions = ", ".join(f"{name} {precision}" for name, precision in table.methods.items())
    if precisions:
        parts.append(f"Computed in: {precisions}.")
    parts.append("Damage: " + "; ".join(f"{s.title}: {s.damage}" for s in table.sets) + ".")
    if table.failures:
        lines = [f"- {f.case_set}, {f.method}, {f.picture}: {f.reason}" for f in table.failures]
        parts.append("\n".join([f"Not scored ({len(lines)}):", "", *lines]))
    return "\n\n".join(parts) + "\n"


def to_csv(table: ScoreTable) -> str:
    """One line for each set, method, protocol and metric; the protocol's line stands in the last column."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["set", "method", "metric", "pictures", "input", "output", "gain", "not_scored", "protocol"])
    protocols = {protocol.name: str(protocol) for protocol in table.protocols}
    for score in table.scores:
        key = (score.case_set, score.method, score.protocol, score.metric)
        numbers = (
            table.mean(score.case_set, INPUT, score.protocol, score.metric),
            table.mean(*key),
            table.gain(*key),
        )
        failed = sum(f.case_set == score.case_set and f.method in (INPUT, score.method) for f in table.failures)
        texts = ["" if number is None else f"{number:.6f}" for number in numbers]
        writer.writerow(
            [
                score.case_set,
                score.method,
                score.metric,
                len(score.values),
                *texts,
                failed,
                protocols[score.protocol],
            ]
        )
    return stream.getvalue()


def to_json(table: ScoreTable) -> str:
    """Everything, with the scores of each picture; `ScoreTable.from_dict` reads it back."""
    return json.dumps(table.to_dict(), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _section(table: ScoreTable, protocol: Protocol) -> str:
    scored = {score.metric for score in table.scores if score.protocol == protocol.name}
    metrics = [metric for metric in table.metrics if metric.name in scored]
    names = [INPUT, *table.methods]
    rows = [["damage", *names]]
    for info in table.sets:
        cells = [[(table.mean(info.name, name, protocol.name, m.name), m) for m in metrics] for name in names]
        rows.append([info.title, *(_cell(cell) for cell in cells)])
    if sum(info.kind != CLEAN for info in table.sets) > 1:
        averages = [[(table.average(name, protocol.name, m.name), m) for m in metrics] for name in names]
        gains = [[(table.average_gain(name, protocol.name, m.name), m) for m in metrics] for name in names[1:]]
        rows.append(["**average**", *(_cell(cell) for cell in averages)])
        rows.append(["**average gain**", "", *(_cell(cell, signed=True) for cell in gains)])
    rows.insert(1, ["---", *["---:"] * len(names)])
    heading = f"{' / '.join(metric.title for metric in metrics)}. Protocol {protocol}."
    return "\n".join([heading, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _cell(entries: list[tuple[float | None, MetricInfo]], signed: bool = False) -> str:
    if all(value is None for value, _ in entries):
        return _NONE
    sign = "+" if signed else ""
    return " / ".join(_NONE if value is None else f"{value:{sign}.{m.decimals}f}" for value, m in entries)
