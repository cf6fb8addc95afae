"""What of the paper's grouping its printed numbers reproduce.

The paper prints drops of 17 groups out of 2036 and draws its distance matrix without numbers. So two assumptions are
needed, and stated here: which distances (`DISTANCES`), and what becomes of groups without printed drops.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from unblemish.degradations.catalogue import GRIDS_ELEVEN
from unblemish.examination.similarity import PUBLISHED
from unblemish.grouping import published
from unblemish.grouping.network_selection import exhaustive_trainings, select_networks, trainings
from unblemish.grouping.problem import Partition, Problem, TableOracle
from unblemish.grouping.ranking import Ranking, largest_size
from unblemish.grouping.search import search

PAIRS = (
    *(4.26, 3.60, 3.60, 3.60, 3.60, 4.11, 3.63, 3.63, 3.88, 4.77),  # Gaussian blur
    *(2.84, 3.60, 2.84, 2.84, 3.60, 3.98, 3.98, 3.88, 4.26),  # motion blur
    *(3.18, 2.20, 2.20, 3.17, 3.60, 3.60, 3.60, 3.60),  # R-L
    *(3.18, 2.75, 3.57, 3.84, 3.76, 3.60, 3.60),  # SR
    *(2.20, 3.17, 3.60, 3.60, 3.60, 3.60),  # ringing
    *(3.17, 3.60, 3.60, 3.60, 3.60),  # defocus blur
    *(3.60, 3.68, 3.44, 4.11),  # JPEG
    *(3.55, 3.44, 3.98),  # Poisson noise
    *(3.60, 3.98),  # inpainting
    3.54,  # Gaussian noise
)
"""Constructed, not measured: the distances nearest to 3.6 under which the ten printed means hold, the printed groups
of three and four with the least means rank first, and printed triples that pass stand before those that fail."""


def constructed() -> np.ndarray:
    distances = np.zeros((11, 11))
    distances[np.triu_indices(11, 1)] = PAIRS
    return distances + distances.T


def as_sets(partition: Partition) -> set[frozenset[str]]:
    return {frozenset(group) for group in partition}


def test_the_printed_drops_follow_from_the_printed_scores() -> None:
    drops = published.published_drops()
    assert len(drops) == len(published.GROUPS) == 17
    three, four = (
        ("richardson_lucy", "ringing", "defocus_blur"),
        ("motion_blur", "richardson_lucy", "ringing", "defocus_blur"),
    )
    assert max(drops[three].values()) == 0.56
    assert max(drops[four].values()) == 2.14
    assert drops["gaussian_blur", "jpeg", "salt_and_pepper"] == {
        "gaussian_blur": 0.04, "jpeg": 0.37, "salt_and_pepper": 1.72,
    }  # fmt: skip
    assert drops[GRIDS_ELEVEN]["motion_blur"] == 5.32
    average = {name: np.mean(list(row.values())) for name, row in vars(published).items() if isinstance(row, dict)
               and len(row) == 11}  # fmt: skip
    printed = {"UPPER": 35.13, "GROUPED": 35.22, "SRRESNET_UPPER": 33.20, "SRRESNET_MIX": 31.88,
               "SRRESNET_GROUPED": 33.32}  # fmt: skip
    assert average == pytest.approx(printed, abs=0.006)
    assert np.mean(list(published.MIX.psnr.values())) == pytest.approx(32.98, abs=0.006)
    # The misprint of Table 1: its own row gives -0.08, and with it the average gain is +0.12.
    assert published.SRRESNET_GROUPED["jpeg"] - published.SRRESNET_UPPER["jpeg"] == pytest.approx(-0.08)
    assert average["SRRESNET_GROUPED"] - average["SRRESNET_UPPER"] == pytest.approx(0.12, abs=0.006)


def test_table_1_and_table_2_agree_on_the_groups_they_share() -> None:
    scores = {entry.group: entry.psnr for entry in published.GROUPS}
    for group in published.PARTITION:
        assert scores[group] == {name: published.GROUPED[name] for name in group}


def test_the_examination_knows_the_same_distances() -> None:
    ours = {(frozenset(entry.group), entry.distance) for entry in published.GROUPS if entry.distance}
    assert ours == {(frozenset(group), distance) for distance, group in PUBLISHED}


def test_the_constructed_distances_have_the_printed_means() -> None:
    ranking = Ranking(GRIDS_ELEVEN, constructed())
    for entry in published.GROUPS:
        if entry.distance:
            assert ranking.mean_distance(entry.group) == pytest.approx(entry.distance, abs=0.005)


def test_three_is_the_largest_size_as_the_top_three_pass_and_the_top_four_do_not() -> None:
    """Holds for all 2047 subsets; only the top-ranked six have no printed drop, and it holds either way there."""
    ranking = Ranking(GRIDS_ELEVEN, constructed())
    problem = Problem(TableOracle(GRIDS_ELEVEN, published.published_drops(), unknown=math.inf), published.THRESHOLD)
    assert largest_size(problem, ranking) == 3
    by_size = {len(trial.group): trial for trial in problem.trace}
    assert by_size.keys() == {6, 3, 4}
    assert (by_size[3].drop, by_size[4].drop) == (0.56, 2.14)
    assert set(by_size[3].group) == {"ringing", "richardson_lucy", "defocus_blur"}
    assert set(by_size[4].group) == {"ringing", "richardson_lucy", "defocus_blur", "motion_blur"}


def test_among_groups_with_printed_drops_the_published_grouping_is_the_only_answer() -> None:
    """Assumption: only groups that the paper prints are candidates, and single degradations."""
    table = published.published_drops()
    ranking = Ranking(GRIDS_ELEVEN, constructed(), groups=list(table))
    problem = Problem(TableOracle(GRIDS_ELEVEN, table), published.THRESHOLD)
    found = search(problem, ranking)
    assert found.largest == 3
    assert as_sets(found.first) == as_sets(published.PARTITION)
    assert list(found.solutions()) == [found.first]
    assert max(problem.oracle.drop(group) for group in found.first) == 0.68
    stages = {trial.stage for trial in problem.trace}
    assert stages == {"largest size", "ranking of size 2", "ranking of size 3", "verification"}


def test_with_all_groups_as_candidates_the_drops_must_follow_the_distances_further_than_is_printed() -> None:
    """What is not reproduced: where unprinted groups all fail, halving cuts the printed ones off.

    Where they pass as far as the last printed group of their size that passes, four groups are the answer, and the
    published ones are among all answers; which is the first depends on the matrix that the paper does not print.
    """
    table = published.published_drops()
    ranking = Ranking(GRIDS_ELEVEN, constructed())
    failing = Problem(TableOracle(GRIDS_ELEVEN, table, unknown=math.inf), published.THRESHOLD)
    assert len(search(failing, ranking).first) > 4

    def assumed(group: tuple[str, ...]) -> float:
        return 0.7 if ranking.mean_distance(group) <= {2: 3.545, 3: 3.615}.get(len(group), 0) else 9.0

    everything = {
        group: table.get(group) or dict.fromkeys(group, assumed(group))
        for size in range(2, 12)
        for group in combinations(GRIDS_ELEVEN, size)
    }
    problem = Problem(TableOracle(GRIDS_ELEVEN, everything), published.THRESHOLD)
    found = search(problem, ranking)
    assert len(found.first) == 4
    # Exhaustively 2047 networks; TAG would train the 66 single ones and pairs, and its four groups.
    assert found.trainings == 31
    tag = select_networks(GRIDS_ELEVEN, -ranking.distances, budget=4)
    assert (exhaustive_trainings(11), trainings(11, tag.groups)) == (2047, 66 + sum(len(g) > 2 for g in tag.groups))
    assert trainings(11, published.PARTITION) == 69
    assert as_sets(published.PARTITION) in map(as_sets, found.solutions())
