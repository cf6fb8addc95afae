from __future__ import annotations

import json

import pytest

from unblemish.evaluation.protocol import preset
from unblemish.evaluation.score_table import Failure, MetricInfo, Score, ScoreTable, SetInfo
from unblemish.evaluation.tables import to_json


@pytest.fixture
def table() -> ScoreTable:
    def one(case_set: str, method: str, **values: float) -> Score:
        return Score(case_set, method, "rgb", "psnr", values)

    return ScoreTable(
        protocols=(preset("rgb").on("photos (2)"),),
        metrics=(MetricInfo("psnr", "PSNR", 2, True),),
        sets=tuple(SetInfo(n, n.title(), n, "photos", "sigma=1", 2) for n in ("noise", "blur", "clean")),
        methods={"net": "bfloat16", "tool": "float32"},
        scores=(
            one("noise", "input", a=20.0, b=30.0),
            one("noise", "net", a=25.0, b=33.0),
            one("noise", "tool", b=36.0),
            one("blur", "input", a=10.0, b=12.0),
            one("blur", "net", a=11.0, b=12.0),
            one("clean", "input", a=100.0, b=100.0),
            one("clean", "net", a=50.0, b=52.0),
        ),
        failures=(Failure("noise", "tool", "a", "RuntimeError: too dark"),),
        seconds={"net": 1.5, "tool": 9.25},
    )


def test_means_and_gains(table: ScoreTable) -> None:
    assert table.mean("noise", "net", "rgb", "psnr") == 29
    assert table.gain("noise", "net", "rgb", "psnr") == 4
    assert table.mean("noise", "tool", "rgb", "ssim") is None


def test_the_gain_of_a_method_that_failed_is_over_what_it_restored(table: ScoreTable) -> None:
    assert table.gain("noise", "tool", "rgb", "psnr") == 6


def test_averages_leave_clean_pictures_out_and_need_every_set(table: ScoreTable) -> None:
    assert table.average("input", "rgb", "psnr") == (25 + 11) / 2
    assert table.average("net", "rgb", "psnr") == (29 + 11.5) / 2
    assert table.average_gain("net", "rgb", "psnr") == (4 + 0.5) / 2
    assert table.average("tool", "rgb", "psnr") is None


def test_json_there_and_back(table: ScoreTable) -> None:
    content = json.loads(to_json(table))
    assert content["scores"][1]["mean"] == 29
    assert content["scores"][1]["gain"] == 4
    assert content["protocols"][0]["set_name"] == "photos (2)"
    assert ScoreTable.from_dict(content) == table
