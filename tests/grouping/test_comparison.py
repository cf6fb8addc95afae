from __future__ import annotations

import json

import pytest

from unblemish.grouping import published
from unblemish.grouping.comparison import AVERAGE, Comparison
from unblemish.grouping.errors import GroupingError


@pytest.fixture
def table() -> Comparison:
    return Comparison(published.PARTITION, published.UPPER, published.MIX.psnr, published.GROUPED, "Table 1 of GRIDS")


def test_differences_are_those_that_the_paper_prints(table: Comparison) -> None:
    rows = {title: values for title, values, _ in table.rows()}
    gain, over_mix = rows["difference to upper bound"], rows["difference to baseline"]
    assert [round(gain[name], 2) for name in table.names] == [
        0.23, -0.09, -0.68, 1.26, -0.14, -0.51, 0.09, 0.05, 0.31, 0.07, 0.45,
    ]  # fmt: skip
    assert round(gain[AVERAGE], 2) == 0.09
    assert [round(over_mix[name], 2) for name in ("motion_blur", "super_resolution")] == [5.23, 4.58]
    assert round(over_mix[AVERAGE], 2) == 2.24


def test_markdown(table: Comparison) -> None:
    lines = table.to_markdown().splitlines()
    assert lines[0].startswith("| PSNR, dB | gaussian blur | motion blur |")
    assert lines[0].endswith("| salt and pepper | average |")
    assert lines[1].count("|") == lines[0].count("|") == 14
    assert [line.split(" | ")[0] for line in lines[2:7]] == [
        "| single-task (upper bound)", "| mix-training (baseline)", "| grouped", "| difference to upper bound",
        "| difference to baseline",
    ]  # fmt: skip
    assert "| 35.13 |" in lines[2]
    assert "| -0.68 |" in lines[5]
    assert "| +0.09 |" in lines[5]
    assert lines[8].startswith("Groups: 1) gaussian blur, motion blur, richardson lucy; 2) super resolution,")
    assert lines[10] == "Table 1 of GRIDS."


def test_plain_data_survives_json(table: Comparison) -> None:
    stored = json.loads(json.dumps(table.to_dict()))
    assert stored["partition"] == [list(group) for group in published.PARTITION]
    assert stored["rows"]["grouped"]["jpeg"] == 32.23
    assert stored["protocol"] == "Table 1 of GRIDS"


def test_arms_must_be_complete() -> None:
    with pytest.raises(GroupingError, match="scores of grouped"):
        Comparison((("a", "b"),), {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0}, "p")
