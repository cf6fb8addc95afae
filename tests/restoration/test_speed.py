from __future__ import annotations

import pytest
import torch

from unblemish.restoration import engines, speed
from unblemish.restoration.errors import RestorationError
from unblemish.restoration.mosaic import Mosaic, made_up
from unblemish.restoration.speed import WAYS, chosen_ways, measure_speed
from unblemish.restoration.treatment import Treatment

CORE = ["channels_last", "bfloat16", "default"]


def measured(network, names, picture=None):
    treatment = Treatment(network, device="cpu")
    report = measure_speed(treatment, picture or made_up(64), chosen_ways(names), repeats=2, matrix=64)
    return report, {row.name: row for row in report.rows}


def test_every_way_is_measured_against_eager(convolutions):
    network = convolutions(fold=2)
    report, rows = measured(network, CORE)
    assert list(rows) == ["eager", *CORE]
    assert report.size == (64, 64)
    assert set(report.peak) == {"float32", "bfloat16"}
    eager = rows["eager"]
    assert eager.times_eager == 1
    assert eager.agreement == 100
    for row in rows.values():
        assert not row.trouble
        assert row.loss is None
        assert row.seconds > 0
        assert row.preparation > 0
        assert row.megapixels_per_second == pytest.approx(64 * 64 / 1e6 / row.seconds)
        assert row.times_eager == pytest.approx(eager.seconds / row.seconds)
        work = report.multiply_adds_per_pixel * 64 * 64 / row.seconds
        assert row.peak_fraction == pytest.approx(work / report.peak[row.precision])
        assert row.agreement > 40
    assert (rows["channels_last"].precision, rows["bfloat16"].precision) == ("float32", "bfloat16")


def test_times_belong_to_their_ways(identity, monkeypatch):
    """A way and a precision share the name "bfloat16"."""
    monkeypatch.setattr(speed, "interleaved", lambda functions, repeats: [8.0, 4.0, 0.5, 0.25])
    report, rows = measured(identity(), ["bfloat16"])
    assert [row.seconds for row in rows.values()] == [8.0, 4.0]
    assert report.peak == {"float32": 64**3 / 0.5, "bfloat16": 64**3 / 0.25}


def test_ways_take_turns(identity, monkeypatch):
    seen = []

    def recorded(name):
        def prepare(treatment, picture):
            return lambda: seen.append(name) or picture

        return speed.Way(name, name, "float32", prepare)

    treatment = Treatment(identity(), device="cpu")
    measure_speed(treatment, made_up(64), [recorded("eager"), recorded("other")], repeats=3, matrix=8)
    assert seen == ["eager", "other"] * 4  # once to warm up, three times timed


def test_loss_is_the_worst_piece_against_the_clean_picture(identity):
    damaged = made_up(64).damaged
    clean = (damaged - 0.1).clamp(0, 1)

    def wrong(treatment, picture):
        return lambda: picture + 0.1

    ways = [WAYS["eager"], speed.Way("wrong", "wrong", "float32", wrong)]
    treatment = Treatment(identity(), device="cpu")
    picture = Mosaic(damaged * 0.5 + 0.25, clean * 0.5 + 0.25, ())
    rows = measure_speed(treatment, picture, ways, repeats=1, matrix=8).rows
    assert rows[0].loss == 0
    # Twice and thrice the error or so: the clean picture was clamped.
    assert 6 < rows[1].loss < 12
    assert rows[1].agreement == pytest.approx(20, abs=0.3)


def test_what_is_missing_is_said_and_the_rest_measured(identity, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    _, rows = measured(identity(), ["onnx", "openvino_bfloat16", "bfloat16"])
    assert "pip install 'unblemish[export]'" in rows["onnx"].trouble
    assert "pip install 'unblemish[fast]'" in rows["openvino_bfloat16"].trouble
    assert rows["onnx"].seconds is rows["onnx"].peak_fraction is None
    assert rows["bfloat16"].seconds > 0


def test_a_failed_compilation_is_one_line(identity, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such compiler\nand a page of details")

    ways = [WAYS["eager"], speed.Way("compiled", "compiled", "float32", broken)]
    treatment = Treatment(identity(), device="cpu")
    assert measure_speed(treatment, made_up(64), ways, repeats=1, matrix=8).rows[1].trouble == "no such compiler"


def test_enlarging_networks_have_no_clean_picture_to_compare_with(convolutions):
    picture = made_up(64)
    _, rows = measured(convolutions(scale=4), CORE, Mosaic(picture.damaged, picture.damaged, ()))
    assert all(row.loss is None and row.agreement > 40 for row in rows.values())


def test_names_of_ways():
    assert [way.name for way in chosen_ways(["onnx"])] == ["eager", "onnx"]
    assert len(chosen_ways([])) == len(WAYS)
    with pytest.raises(RestorationError, match="unknown engine 'warp': choose eager, channels_last"):
        chosen_ways(["warp"])


def test_the_network_stays_as_it_was(convolutions):
    network = convolutions()
    measured(network, CORE)
    assert next(network.parameters()).dtype == torch.float32
