from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from unblemish.examination import calibration, classifier
from unblemish.examination.calibration import COVERAGE, conclude, decide, diagnose, likely_groups, settle
from unblemish.examination.errors import ExaminationError
from unblemish.examination.generalised_gaussian import GeneralisedGaussian, group_mean

GROUPS = {"noise": ("gaussian_noise",), "blur": ("gaussian_blur",)}


@pytest.mark.parametrize(
    ("sums", "place"),
    [
        ((0.1, 0.7, 0.1, 0.1), 1),
        ((0.1, 0.1, 0.7, 0.1), 2),
        ((0.4, 0.6, 0.0, 0.0), 1),  # just sure enough
        ((0.41, 0.59, 0.0, 0.0), 3),  # neither clean nor sure
        ((0.6, 0.4, 0.0, 0.0), 0),
        ((0.4, 0.2, 0.2, 0.2), 0),
        ((0.4, 0.4, 0.1, 0.1), 0),  # of equals, what does no harm
        ((0.35, 0.2, 0.05, 0.4), 3),
        ((0.1, 0.45, 0.45, 0.0), 3),  # damaged, but how?
    ],
)
def test_the_rule(sums: tuple[float, ...], place: int) -> None:
    assert decide(torch.tensor([sums]), 0.6).tolist() == [place]


def test_held_out_pictures_are_told_apart(observations, diagnosis) -> None:
    assert diagnosis.probabilities.shape == (len(observations), 4)
    torch.testing.assert_close(diagnosis.probabilities.sum(1), torch.ones(len(observations)))
    said = [diagnosis.kinds[place] for place in diagnosis.probabilities.argmax(1).tolist()]
    right = [kind == one.kind for kind, one in zip(said, observations, strict=True)]
    assert sum(right) > 0.9 * len(right)


def test_probabilities_come_from_members_that_had_not_seen_the_photograph(observations, diagnosis, monkeypatch) -> None:
    swap = {"gaussian_noise": "gaussian_blur", "gaussian_blur": "gaussian_noise"}
    swapped = [replace(one, kind=swap.get(one.kind, one.kind)) if one.fold == 1 else one for one in observations]
    monkeypatch.setattr(classifier, "STEPS", 200)
    said = diagnose(swapped, diagnosis.kinds).probabilities
    wrong = [
        diagnosis.kinds[int(said[row].argmax())] != one.kind
        for row, one in enumerate(swapped)
        if one.fold == 1 and one.kind in swap
    ]
    assert wrong
    assert sum(wrong) > 0.8 * len(wrong)


def test_the_likely_group_leaves_clean_and_unknown_out(observations, diagnosis) -> None:
    found = likely_groups(diagnosis, settle(observations, diagnosis, GROUPS))
    assert {*found} == {*GROUPS}
    for one, group in zip(observations, found, strict=True):
        if one.kind in ("gaussian_noise", "gaussian_blur"):
            assert one.kind in GROUPS[group]
    merged = settle(observations, diagnosis, {"all": ("gaussian_noise", "gaussian_blur")})
    assert likely_groups(diagnosis, merged) == ["all"] * len(observations)


def test_thresholds_and_scores(observations, diagnosis, knowledge) -> None:
    settings = knowledge.settings
    assert 0.5 <= settings.sure <= 0.9
    assert settings.coverage == COVERAGE
    assert {*settings.margin} == {"gaussian_noise", "gaussian_blur", "darkness"}
    assert all(0 <= margin < 4 for margin in settings.margin.values())
    assert settings.scores["held_out/group_right"] > 0.9
    assert settings.scores["held_out/clean_called_clean"] > 0.7
    assert settings.scores["held_out/known_called_unknown"] < 0.2
    unknown = [row for row, one in enumerate(observations) if one.kind == "darkness"]
    verdicts = decide(settings.sums(diagnosis.probabilities[unknown]), settings.sure)
    noticed = float((verdicts == 3).float().mean())
    assert settings.scores["held_out/unknown_noticed"] == pytest.approx(noticed, abs=1e-3)


def test_damage_that_is_everywhere_has_to_be_surer(observations, diagnosis, monkeypatch) -> None:
    """Here every blurred picture is rather taken for a noisy one."""
    said = torch.zeros(len(observations), 4)
    for row, one in enumerate(observations):
        said[row, diagnosis.kinds.index(one.kind)] = 1.0
        if one.kind == "gaussian_blur":
            said[row] = torch.tensor([0.0, 0.8, 0.2, 0.0])
    mistaken, rest = replace(diagnosis, probabilities=said), {"gaussian_noise": "gaussian_blur"}
    assert settle(observations, mistaken, GROUPS).scores["held_out/group_right"] == pytest.approx(0.5)
    settings = settle(observations, mistaken, GROUPS, rest)
    assert settings.everywhere == {"noise": 0.99}
    assert settings.rest == rest
    assert settings.scores["held_out/group_right"] == 1.0
    monkeypatch.setattr(calibration, "MISTAKEN", 0.5)
    assert settle(observations, mistaken, GROUPS, rest).everywhere["noise"] == pytest.approx(0.8)


def test_gains_are_predicted_by_kind(observations, knowledge) -> None:
    from unblemish.examination.statistics import picture_vector

    vectors = torch.stack([picture_vector(one.moments, one.tones) for one in observations])
    said = knowledge.gain.values(vectors)[:, 0]
    for kind, gain in (("gaussian_noise", 8.0), ("gaussian_blur", 2.0), ("darkness", -1.0)):
        mean = said[torch.tensor([one.kind == kind for one in observations])].mean()
        assert float(mean) == pytest.approx(gain, abs=1)


def test_signatures_are_means_over_pictures(observations, knowledge) -> None:
    assert {*knowledge.signatures} == {*knowledge.settings.kinds}
    pairs = [one.signature.tolist() for one in observations if one.kind == "gaussian_blur"]
    assert knowledge.signatures["gaussian_blur"] == group_mean([GeneralisedGaussian(*pair) for pair in pairs])


def test_too_few_photographs_or_gains(observations, diagnosis) -> None:
    folds = [one for one in observations if one.fold < 3]
    with pytest.raises(ExaminationError, match="too few photographs to calibrate on; give some dozens"):
        diagnose(folds, diagnosis.kinds)
    for gains in ([None] * len(observations), [1.0 if one.fold == 0 else None for one in observations]):
        with pytest.raises(ExaminationError, match="too few gains to calibrate on; measure those of more"):
            conclude(observations, diagnosis, settle(observations, diagnosis, GROUPS), gains)
