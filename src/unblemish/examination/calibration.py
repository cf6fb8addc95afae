"""Calibration: from observations of known damage to what an examiner knows.

Every threshold is set on pictures that the member concerned had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from unblemish.examination.classifier import MEMBERS, Classifier, fit_classifier, fit_regression
from unblemish.examination.errors import ExaminationError
from unblemish.examination.generalised_gaussian import GeneralisedGaussian, group_mean
from unblemish.examination.knowledge import Knowledge, Settings
from unblemish.examination.observations import Observation
from unblemish.examination.statistics import local_vectors, picture_vector

KNOWN_GIVEN_UP = 0.01
"""Share of known damage that may be called unknown for want of certainty; it sets how sure a group must be."""

MISTAKEN = 0.05
"""Share of pictures that may be taken for damage that is everywhere and have none of it; it sets how sure such a group
must be. Who brightens a dark scene does more harm than who leaves a darkened one."""

COVERAGE = 0.9
"""Share of gains that are to lie within the interval."""

PATCHES_EACH = 4
"""Patches of an observation that the region classifier sees."""

UNTOUCHED = 1e-5
"""Mean square difference (50 dB) below which a patch of a damaged specimen counts as clean."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The classifiers, before anything is known of gains.

    Attributes:
        kinds: See `Settings`.
        picture: See `Knowledge`.
        region: See `Knowledge`.
        probabilities: `(N, C)` of each observation, from the member that had not seen its photograph.
    """

    kinds: tuple[str, ...]
    picture: Classifier
    region: Classifier
    probabilities: Tensor


def diagnose(observations: Sequence[Observation], kinds: Sequence[str], seed: int = 0) -> Diagnosis:
    """Fits the classifiers of pictures and of patches.

    Each observation is shown twice, once with all its patches and once with half of them, drawn anew.

    Raises:
        ExaminationError: A fold of the photographs is empty.
    """
    folds = torch.tensor([one.fold for one in observations])
    if len(folds.unique()) < MEMBERS:
        raise ExaminationError("too few photographs to calibrate on; give some dozens, better hundreds")
    draw = torch.Generator().manual_seed(seed)
    classes = torch.tensor([list(kinds).index(one.kind) for one in observations])
    whole = torch.stack([picture_vector(one.moments, one.tones) for one in observations])
    halves = []
    for one in observations:
        count = len(one.moments)
        halves.append(picture_vector(one.moments, one.tones, torch.randperm(count, generator=draw)[: -(-count // 2)]))
    picture, said = fit_classifier(
        torch.cat((whole, torch.stack(halves))), classes.repeat(2), folds.repeat(2), len(kinds), seed
    )
    moments, patch_classes, patch_folds = [], [], []
    for one, kind in zip(observations, classes.tolist(), strict=True):
        chosen = torch.randperm(len(one.moments), generator=draw)[:PATCHES_EACH]
        moments.append(one.moments[chosen])
        patch_classes.append(torch.where(one.errors[chosen] < UNTOUCHED, 0, kind))
        patch_folds.append(torch.full((len(chosen),), one.fold))
    region, _ = fit_classifier(
        local_vectors(torch.cat(moments)), torch.cat(patch_classes), torch.cat(patch_folds), len(kinds), seed
    )
    return Diagnosis(tuple(kinds), picture, region, said[: len(observations)])


def settle(
    observations: Sequence[Observation],
    diagnosis: Diagnosis,
    groups: Mapping[str, Sequence[str]],
    rest: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """Sets how sure each group must be; margins stay open.

    Args:
        observations: As given to `diagnose`.
        diagnosis: Of these observations.
        groups: Degradations by group.
        rest: Kinds that are never in a part of a picture, and what is left of each in a dark or pale scene.
    """
    settings = Settings(
        kinds=diagnosis.kinds,
        groups={name: tuple(members) for name, members in groups.items()},
        sure=0.5,
        margin={},
        coverage=COVERAGE,
    )
    truth = torch.tensor([settings.place_of(one.kind) for one in observations])
    sums = settings.sums(diagnosis.probabilities)
    sure = _sure(sums, truth)
    places = {group: place for place, group in enumerate(groups, 1) if {*groups[group]} <= {*rest}}
    needed = {group: max(sure, _unmistaken(sums[:, place], truth == place)) for group, place in places.items()}
    left = {kind: rest[kind] for group in places for kind in groups[group]}
    settings = settings.model_copy(update={"sure": sure, "everywhere": needed, "rest": left})
    scores = _scores(settings.sums(settings.of_pictures(diagnosis.probabilities)), truth, sure)
    return settings.model_copy(update={"scores": scores})


def likely_groups(diagnosis: Diagnosis, settings: Settings) -> list[str]:
    """The most probable group of each observation: the one whose network is to be tried for its gain."""
    names = list(settings.groups)
    sums = settings.sums(settings.of_pictures(diagnosis.probabilities))
    return [names[place] for place in sums[:, 1:-1].argmax(1).tolist()]


def conclude(
    observations: Sequence[Observation],
    diagnosis: Diagnosis,
    settings: Settings,
    gains: Sequence[float | None],
    seed: int = 0,
) -> Knowledge:
    """Adds signatures and the prediction of gains to a diagnosis.

    Args:
        observations: As given to `diagnose`.
        diagnosis: Of these observations.
        settings: As settled.
        gains: Measured gain of each observation with the network of its likely group, decibels; None where it was
            not measured.
        seed: As for `diagnose`.

    Raises:
        ExaminationError: There are too few gains.
    """
    measured = torch.tensor([gain is not None for gain in gains])
    rows = measured.nonzero().flatten().tolist()
    folds = torch.tensor([observations[row].fold for row in rows])
    if len(folds.unique()) < MEMBERS:
        raise ExaminationError("too few gains to calibrate on; measure those of more photographs")
    vectors = torch.stack([picture_vector(observations[row].moments, observations[row].tones) for row in rows])
    values = torch.tensor([gains[row] for row in rows])
    regression, said = fit_regression(vectors, values, folds, seed)
    misses = (said - values).abs()
    kinds = [observations[row].kind for row in rows]
    margin = {
        kind: float(torch.quantile(misses[torch.tensor([k == kind for k in kinds])], COVERAGE, interpolation="higher"))
        for kind in dict.fromkeys(kinds)
    }
    signatures = {kind: _signature(observations, kind) for kind in diagnosis.kinds}
    final = settings.model_copy(update={"margin": margin})
    return Knowledge(final, diagnosis.picture, diagnosis.region, regression, signatures)


def _signature(observations: Sequence[Observation], kind: str) -> GeneralisedGaussian:
    """The mean over a kind's pictures, as a group's is the mean over its degradations (GRIDS, Sec. 5.2)."""
    pairs = [one.signature.tolist() for one in observations if one.kind == kind]
    return group_mean([GeneralisedGaussian(alpha, sigma) for alpha, sigma in pairs])


def _sure(sums: Tensor, truth: Tensor) -> float:
    """The highest certainty that gives up no more known damage than allowed, but at least 0.5 and at most 0.9."""
    known = (truth > 0) & (truth < sums.shape[1] - 1)
    best = sums[known, 1:-1].amax(1)
    return float(torch.quantile(best, KNOWN_GIVEN_UP, interpolation="lower").clamp(0.5, 0.9))


def _unmistaken(probability: Tensor, right: Tensor) -> float:
    """The lowest probability `(N,)` from which on no more are wrong than allowed; at most 0.99."""
    order = probability.argsort(descending=True)
    wrong = (~right[order]).cumsum(0) / torch.arange(1, len(order) + 1)
    allowed = probability[order][wrong <= MISTAKEN]
    return min(0.99, float(allowed[-1])) if len(allowed) else 0.99


def _scores(sums: Tensor, truth: Tensor, sure: float) -> dict[str, float]:
    """Shares of held-out observations, as the verdicts would be."""
    unknown = sums.shape[1] - 1
    verdicts = decide(sums, sure)
    known = (truth > 0) & (truth < unknown)
    strange, clean = truth == unknown, truth == 0
    right = sums[:, 1:-1].argmax(1) + 1 == truth
    shares = {
        "held_out/group_right": right[known],
        "held_out/known_called_unknown": verdicts[known] == unknown,
        "held_out/known_called_clean": verdicts[known] == 0,
        "held_out/clean_called_clean": verdicts[clean] == 0,
        "held_out/unknown_noticed": verdicts[strange] == unknown,
        "held_out/unknown_treated": (verdicts[strange] > 0) & (verdicts[strange] < unknown),
    }
    return {name: round(float(share.float().mean()), 4) for name, share in shares.items() if len(share)}


def decide(sums: Tensor, sure: float) -> Tensor:
    """Verdicts as places of `Settings.sums`: a group where it is probable enough, else clean or unknown.

    What is probably clean is clean; whatever else no group can be trusted with is unknown.

    Args:
        sums: `(N, groups + 2)`.
        sure: Probability that a group needs.

    Returns:
        `(N,)`.
    """
    groups = sums[:, 1:-1]
    trusted = groups.amax(1) >= sure
    clean = sums[:, 0] >= torch.maximum(groups.amax(1), sums[:, -1])
    other = torch.where(clean, 0, sums.shape[1] - 1)
    return torch.where(trusted, groups.argmax(1) + 1, other)
