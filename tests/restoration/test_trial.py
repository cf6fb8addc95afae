from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from scipy.stats import spearmanr

from unblemish.degradations.catalogue import operators
from unblemish.evaluation.cases import Case, Unusable
from unblemish.examination.examination import Examination, Gain, Verdict
from unblemish.examination.generalised_gaussian import GeneralisedGaussian
from unblemish.restoration.bundle_parts import Group
from unblemish.restoration.restorer import Restored
from unblemish.restoration.trial import damage_for, rank_correlation, run_trial

CLEAN = torch.full((1, 3, 8, 8), 0.5)


@dataclass
class Cases:
    kind: str
    cases: list
    source: str = "photos"

    @property
    def name(self):
        return self.kind

    def __len__(self):
        return len(self.cases)

    def __iter__(self):
        return iter(self.cases)


class Oracle:
    """A Restorer that takes brightness for the damage: +0.1 is noise, +0.2 blur, +0.3 unknown, 0 clean.

    It halves what it treats as noise, and makes what it treats as blur worse.
    """

    bundle = SimpleNamespace(
        groups=[
            Group(name="noise", degradations=("gaussian_noise",), network="n"),
            Group(name="blur", degradations=("gaussian_blur",), network="b"),
        ]
    )
    strangers = ("haze",)

    def examine(self, picture, rule=None):
        level = round(float(picture.pixels.mean() - 0.5), 2)
        verdict = {0.0: Verdict.CLEAN, 0.1: Verdict.KNOWN, 0.2: Verdict.KNOWN}.get(level, Verdict.UNKNOWN)
        group = "blur" if level == 0.2 and rule is None else "noise"
        gain = Gain(5.0, 4.0, 7.0, 0.9)
        return Examination(verdict, group, {}, {}, {}, GeneralisedGaussian(1, 1), gain, (), "statistics", 0.5)

    def restore_examined(self, picture):
        found = self.examine(picture)
        if found.verdict is not Verdict.KNOWN:
            return Restored(picture, found)
        x = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None]
        return Restored(picture.with_pixels(self.treat_as(found.group, x)[0].permute(1, 2, 0).numpy()), found)

    def treat_as(self, group, x):
        return 0.5 + (x - 0.5) * (0.5 if group == "noise" else 1.1)


def cases(kind, *levels):
    return Cases(kind, [Case(f"{n}.png", CLEAN + level, CLEAN) for n, level in enumerate(levels)])


def test_figures_are_counted_by_hand():
    trial = run_trial(
        Oracle(),
        [
            cases("gaussian_noise", 0.1, 0.1, 0.2, 0.3),
            cases("gaussian_blur", 0.2),
            cases("haze", 0.3, 0.0),
            cases("rain", 0.3),
            cases("clean", 0.0, 0.1),
        ],
    )
    assert trial.confusion() == {
        "gaussian_noise": {"clean": 0, "noise": 2, "blur": 1, "unknown": 1},
        "gaussian_blur": {"clean": 0, "noise": 0, "blur": 1, "unknown": 0},
        "haze": {"clean": 1, "noise": 0, "blur": 0, "unknown": 1},
        "rain": {"clean": 0, "noise": 0, "blur": 0, "unknown": 1},
        "clean": {"clean": 1, "noise": 1, "blur": 0, "unknown": 0},
    }
    assert trial.confusion(by_divergence=True)["gaussian_blur"]["noise"] == 1
    figures = trial.figures()
    assert figures["known_given_the_right_network"] == pytest.approx(3 / 5)
    assert figures["known_right_group_by_divergence"] == pytest.approx(3 / 5)
    assert figures["known_called_unknown"] == pytest.approx(1 / 5)
    assert figures["clean_called_clean"] == pytest.approx(1 / 2)
    assert figures["unknown_noticed"] == pytest.approx(1 / 2)
    assert figures["unknown_treated"] == 0
    assert figures["harmed"] == pytest.approx(2 / 8)
    assert figures["gain_within_interval"] == pytest.approx(2 / 4)
    assert figures["median_seconds_of_examination"] == 0.5
    # Halving an error gains 6.02 dB; what was taken for blur or left alone loses that, and blur's 0.83 dB on top.
    assert trial.gains()["gaussian_noise"] == pytest.approx((6.02 + 6.02 - 0.83 + 0) / 4, abs=0.2)
    assert figures["decibels_lost_to_the_true_group"] == pytest.approx((6.02 + 0.83 + 6.02) / 5, abs=0.2)
    assert json.loads(json.dumps(trial.to_dict(), allow_nan=False))["figures"] == figures


def test_what_cannot_be_read_is_listed():
    broken = Cases("gaussian_noise", [Unusable("a.png", "is damaged"), *cases("gaussian_noise", 0.1).cases])
    told = []
    trial = run_trial(Oracle(), [broken], lambda done, total: told.append((done, total)))
    assert trial.failures == ("gaussian_noise/a.png: is damaged",)
    assert len(trial.findings) == 1
    assert told == [(1, 2), (2, 2)]


def test_rank_correlation_is_spearmans():
    x, y = [1.0, 2.0, 2.0, 5.0, 4.0], [3.0, 1.0, 4.0, 9.0, 4.0]
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_blends_are_tried_where_a_group_treats_them() -> None:
    groups = [Group(name="blend", degradations=("severe_blend", "jpeg", "moire"), network="b")]
    assert damage_for(groups) == [*operators(), "severe_blend", "clean"]
