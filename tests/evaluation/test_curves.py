from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unblemish.evaluation.curves import Curve, limits, mean_curve, off_scale, paired, save_curves, style
from unblemish.evaluation.errors import EvaluationError

CURVES: dict[str, dict[int, Curve]] = {
    "none": {0: [(100, -9.0), (200, 2.0), (300, 3.0), (400, 3.2)], 1: [(200, 2.2), (300, 3.2), (400, 3.4)]},
    "odd $name": {0: [(100, -8.0), (200, 2.4), (300, 3.4), (400, 3.5)]},
}


def test_means_and_differences_are_at_shared_steps() -> None:
    mean = mean_curve(list(CURVES["none"].values()))
    assert [step for step, _ in mean] == [200, 300, 400]
    assert dict(mean)[300] == pytest.approx(3.1)
    assert mean_curve([]) == []
    ((seed, difference),) = paired(CURVES, "none")["odd $name"].items()
    assert seed == 0
    assert [step for step, _ in difference] == [100, 200, 300, 400]
    assert dict(difference)[400] == pytest.approx(0.3)
    assert list(paired(CURVES, "odd $name")) == ["none"]
    assert list(paired(CURVES, "odd $name")["none"]) == [0]
    assert paired(CURVES, "not trained yet") == {}
    assert paired({"a": {0: [(1, 1.0)]}, "b": {1: [(1, 1.0)]}}, "a") == {}


def test_limits_leave_the_start_out() -> None:
    curves: dict[str, dict[int, Curve]] = {"a": {0: [(10, -50.0), (100, 1.0), (300, 2.0)]}}
    low, high = limits(curves)
    assert -1 < low < 1
    assert 2 < high < 3
    assert limits({"a": {0: [(5, 1.0)]}}) == (0.99, 1.01)


def test_a_longer_arm_neither_hides_shorter_ones_nor_is_compared_half_way() -> None:
    short: dict[int, Curve] = {0: [(100, 0.1), (200, 0.3), (400, 0.4)]}
    curves = {"none": short, "other": short, "longer": {0: [(400, 0.2), (2000, 0.9), (4000, 1.0)]}}
    low, high = limits(curves)
    assert low < 0.3
    assert high > 1
    assert list(paired(curves, "none")) == ["other"]


def test_an_arm_that_fails_does_not_hide_the_others() -> None:
    ends = {"a": 1.0, "b": 1.01, "c": 1.03, "failed": -4.0}
    curves: dict[str, dict[int, Curve]] = {arm: {0: [(10, 0.9), (20, end)]} for arm, end in ends.items()}
    curves["far better"] = {0: [(10, 0.9), (20, 6.0)]}
    assert off_scale(curves) == {"failed"}
    assert limits(curves)[0] > 0.5
    assert limits(curves)[1] > 6
    del curves["far better"]
    del curves["c"]
    assert off_scale(curves) == set()
    assert limits(curves)[0] < -4


def test_many_arms_can_be_told_apart() -> None:
    assert len({tuple(style(place).items()) for place in range(27)}) == 27
    assert len({style(place)["color"] for place in range(9)}) == 9


def test_two_panels_or_one_without_the_reference(tmp_path: Path) -> None:
    widths = []
    for reference in ("none", "not trained yet"):
        path = tmp_path / "deep" / f"{reference}.png"
        save_curves(CURVES, reference, path, "a $title of any_kind")
        with Image.open(path) as drawn:
            pixels = np.asarray(drawn.convert("RGB"))
        widths.append(pixels.shape[1])
        for colour in ((0x2E, 0x6F, 0xB7), (0xD1, 0x49, 0x5B)):
            assert (abs(pixels.astype(int) - colour).sum(2) < 12).any()
    assert widths[0] > widths[1]


def test_mistakes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"written as \.png"):
        save_curves(CURVES, "none", tmp_path / "a.pdf", "title")
    with pytest.raises(EvaluationError, match="no validation to draw"):
        save_curves({"none": {0: []}}, "none", tmp_path / "a.png", "title")
