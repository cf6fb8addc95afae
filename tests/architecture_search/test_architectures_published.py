from __future__ import annotations

import pytest

from unblemish.architecture_search.found import mean_gap
from unblemish.architecture_search.published import ALPHAS, GAPS, SETS, SIGMAS, TABLE_1, TABLE_3, TABLE_5
from unblemish.networks.catalogue import create


def test_every_row_has_a_score_for_every_column() -> None:
    assert TABLE_1.keys() == TABLE_3.keys()
    assert all(len(scores) == len(SIGMAS) for scores in TABLE_1.values())
    assert all(len(scores) == len(SETS) for scores in TABLE_3.values())


def test_tables_agree_with_each_other() -> None:
    assert TABLE_1["CLEARER"][0] == TABLE_5[1].score
    assert mean_gap(ALPHAS) == pytest.approx(GAPS[0.1], abs=2e-3)
    assert all(sum(pair) == pytest.approx(1) for pair in ALPHAS)


def test_scores_fall_with_the_noise_and_patches_score_higher() -> None:
    for scores in TABLE_1.values():
        assert scores[0].psnr > scores[1].psnr > scores[2].psnr
    for whole, patches in zip(TABLE_1["CLEARER"], TABLE_1["CLEARER-P"], strict=True):
        assert patches.psnr > whole.psnr


def test_the_random_architecture_of_table_5_is_one_of_the_space() -> None:
    network = create("multiscale", {"architecture": "PPPF/PPPF/PPPF", "gray": True})
    assert round(network.parameter_count / 1e6, 2) == TABLE_5[-1].parameters
