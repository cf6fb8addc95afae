from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from unblemish.evaluation.protocol import preset
from unblemish.evaluation.score_table import Failure, MetricInfo, Score, ScoreTable, SetInfo
from unblemish.evaluation.tables import to_csv, to_markdown


@pytest.fixture
def table() -> ScoreTable:
    numbers = {
        ("noise", "input"): (20.0, 0.5),
        ("noise", "net"): (28.5, 0.9),
        ("noise", "median"): (24.0, 0.7),
        ("blur", "input"): (26.0, 0.75),
        ("blur", "net"): (25.5, 0.85),
        ("clean", "input"): (100.0, 1.0),
        ("clean", "net"): (45.0, 0.99),
    }
    return ScoreTable(
        protocols=(preset("rgb").on("photos (1)"),),
        metrics=(MetricInfo("psnr", "PSNR", 2, True), MetricInfo("ssim", "SSIM", 4, True)),
        sets=tuple(SetInfo(n, n.title(), n, "photos", f"{n} 1, seed 0", 1) for n in ("noise", "blur", "clean")),
        methods={"net": "bfloat16", "median": "float32"},
        scores=tuple(
            Score(*key, "rgb", metric, {"a": value})
            for key, values in numbers.items()
            for metric, value in zip(("psnr", "ssim"), values, strict=True)
        ),
    )


def test_markdown(table: ScoreTable) -> None:
    lines = to_markdown(table).splitlines()
    assert lines[0].startswith("PSNR / SSIM. Protocol rgb on photos (1): RGB, no crop, rounded to 8 bit")
    assert lines[2:9] == [
        "| damage | input | net | median |",
        "| --- | ---: | ---: | ---: |",
        "| Noise | 20.00 / 0.5000 | 28.50 / 0.9000 | 24.00 / 0.7000 |",
        "| Blur | 26.00 / 0.7500 | 25.50 / 0.8500 | – |",
        "| Clean | 100.00 / 1.0000 | 45.00 / 0.9900 | – |",
        "| **average** | 23.00 / 0.6250 | 27.00 / 0.8750 | – |",
        "| **average gain** |  | +4.00 / +0.2500 | – |",
    ]
    assert "Computed in: net bfloat16, median float32." in lines
    assert "Damage: Noise: noise 1, seed 0; Blur: blur 1, seed 0; Clean: clean 1, seed 0." in lines


def test_markdown_keeps_failures(table: ScoreTable) -> None:
    text = to_markdown(replace(table, failures=(Failure("noise", "net", "b.png", "out of memory"),)))
    assert text.endswith("Not scored (1):\n\n- noise, net, b.png: out of memory\n")


def test_one_damage_needs_no_average(table: ScoreTable) -> None:
    assert "average gain" not in to_markdown(replace(table, sets=table.sets[:1]))


def test_csv(table: ScoreTable) -> None:
    failed = (Failure("noise", "net", "b.png", "no"), Failure("noise", "input", "c.png", "no"))
    rows = list(csv.DictReader(io.StringIO(to_csv(replace(table, failures=failed)))))
    assert len(rows) == len(table.scores)
    net = next(row for row in rows if (row["set"], row["method"], row["metric"]) == ("noise", "net", "psnr"))
    assert [float(net[key]) for key in ("input", "output", "gain")] == [20, 28.5, 8.5]
    assert (net["pictures"], net["not_scored"]) == ("1", "2")
    assert net["protocol"] == str(table.protocols[0])
