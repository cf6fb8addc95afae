from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from unblemish.examination.examination import Examination, Gain, Verdict
from unblemish.examination.generalised_gaussian import GeneralisedGaussian


def found(verdict: Verdict) -> Examination:
    return Examination(
        verdict=verdict,
        group="blur",
        probabilities={"clean": 0.2, "noise": 0.1, "blur": 0.4, "unknown": 0.3},
        distances={"clean": 3.0, "noise": 5.0, "blur": 2.0},
        degradations={"gaussian_blur": 1.0},
        signature=GeneralisedGaussian(1.0, 2.0),
        gain=Gain(1.0, 0.5, 1.5, 0.9),
        regions=(),
        rule="statistics",
        seconds=0.1,
    )


@pytest.mark.parametrize(
    ("verdict", "words", "confidence"),
    [(Verdict.CLEAN, "clean", 0.2), (Verdict.KNOWN, "known: blur", 0.4), (Verdict.UNKNOWN, "unknown", 0.3)],
)
def test_the_finding_in_words_and_how_sure_it_is(verdict: Verdict, words: str, confidence: float) -> None:
    assert found(verdict).finding == words
    assert found(verdict).confidence == confidence


def test_verdicts_are_words_and_findings_stay() -> None:
    assert [str(verdict) for verdict in Verdict] == ["clean", "known", "unknown"]
    with pytest.raises(FrozenInstanceError):
        found(Verdict.CLEAN).group = "noise"  # pyright: ignore[reportAttributeAccessIssue]
