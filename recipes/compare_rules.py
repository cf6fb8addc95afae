"""Compares ways to tell from a picture's statistics what is wrong with it.

    python recipes/compare_rules.py TRAINING_PHOTOS TEST_PHOTOS --runs FOLDER -o results/examination_rules.json

The rules, each on more statistics than the one before: GRIDS's (one generalised Gaussian a picture, smallest KL
divergence); a generalised Gaussian for each channel, divergences summed; linear discriminants, which whiten by the
variance that content causes, on the channels' log sigma and shape, then with gradients, spectrum and residuals, tones;
and the classifier that ships. All are fitted on specimens of the training photographs and tried on those of the test
photographs. The last rows leave one unknown degradation out of the fit: what happens to damage of a kind that the
examiner was never shown. Measurements are kept in FOLDER, so that a second run takes seconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unblemish.degradations.catalogue import GRIDS_ELEVEN
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.examination.calibration import diagnose
from unblemish.examination.examiner import REFUSAL
from unblemish.examination.generalised_gaussian import (
    GeneralisedGaussian,
    group_mean,
    kl_divergence,
    log_distance,
    shape_of_ratio,
)
from unblemish.examination.observations import Observation, observe
from unblemish.examination.representation import MOMENTS
from unblemish.examination.specimens import CLEAN
from unblemish.examination.statistics import local_vectors, picture_vector
from unblemish.pictures.folders import find_pictures
from unblemish.restoration.bundle import Bundle
from unblemish.restoration.calibrating import STRANGE
from unblemish.restoration.examining import describer

UNKNOWN = "unknown"
KINDS = (CLEAN, *GRIDS_ELEVEN, *STRANGE)
SHRINKAGE = 0.05
"""Share of the identity in the pooled covariance of the linear discriminants."""

Rule = Callable[[Observation], str]
"""From a picture to "clean", a group or "unknown"."""


def by_one_gaussian(fit: Sequence[Observation], groups: dict[str, tuple[str, ...]]) -> Rule:
    """GRIDS, Eq. 7."""
    known = {
        name: group_mean([mean_gaussian(fit, kind) for kind in kinds])
        for name, kinds in {CLEAN: (CLEAN,), **groups}.items()
    }

    def rule(one: Observation) -> str:
        own = GeneralisedGaussian(*one.signature.tolist())
        distances = {name: log_distance(kl_divergence(signature, own)) for name, signature in known.items()}
        nearest = min(distances, key=distances.__getitem__)
        return UNKNOWN if distances[nearest] > REFUSAL else nearest

    return rule


def mean_gaussian(fit: Sequence[Observation], kind: str) -> GeneralisedGaussian:
    """The mean of a kind's pictures."""
    return group_mean([GeneralisedGaussian(*one.signature.tolist()) for one in fit if one.kind == kind])


def group_of(kind: str, groups: dict[str, tuple[str, ...]]) -> str:
    """The group of a kind, "clean" or "unknown"."""
    return CLEAN if kind == CLEAN else next((name for name, kinds in groups.items() if kind in kinds), UNKNOWN)


def by_channels(fit: Sequence[Observation], groups: dict[str, tuple[str, ...]], width: int) -> Rule:
    """The sum of the channels' divergences; unknown beyond 99 % of the fit's distances to their own kind."""
    known = {kind: channels([one for one in fit if one.kind == kind], width) for kind in (CLEAN, *GRIDS_ELEVEN)}
    home = {kind: group_of(kind, groups) for kind in known}

    def distances(one: Observation) -> dict[str, float]:
        own = channels([one], width)
        return {
            kind: sum(kl_divergence(p, q) for p, q in zip(signature, own, strict=True))
            for kind, signature in known.items()
        }

    usual = torch.tensor([distances(one)[one.kind] for one in fit if one.kind in known])
    limit = float(torch.quantile(usual, 0.99))

    def rule(one: Observation) -> str:
        found = distances(one)
        nearest = min(found, key=found.__getitem__)
        return UNKNOWN if found[nearest] > limit else home[nearest]

    return rule


def channels(several: Sequence[Observation], width: int) -> list[GeneralisedGaussian]:
    """A generalised Gaussian for each channel, from moments averaged over pictures."""
    deep = torch.stack([one.moments.mean(0) for one in several]).mean(0)[: MOMENTS * width]
    first, second = deep.view(MOMENTS, width)[:2].clamp(min=1e-9)
    shapes = shape_of_ratio(second / first.square())
    return [GeneralisedGaussian(float(a), float(s)) for a, s in zip(shapes, second.sqrt(), strict=True)]


def by_discriminant(
    fit: Sequence[Observation], groups: dict[str, tuple[str, ...]], statistics: Callable[[Observation], Tensor]
) -> Rule:
    """Linear discriminant analysis over all kinds, those that stand for the unknown included."""
    rows = torch.stack([statistics(one) for one in fit])
    mean, spread = rows.mean(0), rows.std(0) + 1e-4
    kinds = torch.tensor([KINDS.index(one.kind) for one in fit])
    standard = ((rows - mean) / spread).clamp(-6, 6)
    centres = torch.stack([standard[kinds == kind].mean(0) for kind in range(len(KINDS))])
    inside = standard - centres[kinds]
    covariance = (1 - SHRINKAGE) * inside.T @ inside / len(rows) + SHRINKAGE * torch.eye(rows.shape[1])
    weights = torch.linalg.solve(covariance, centres.T)  # (D, kinds)
    offset = 0.5 * (weights * centres.T).sum(0)

    def rule(one: Observation) -> str:
        x = ((statistics(one) - mean) / spread).clamp(-6, 6)
        return group_of(KINDS[int((x @ weights - offset).argmax())], groups)

    return rule


def by_classifier(fit: Sequence[Observation], groups: dict[str, tuple[str, ...]], kinds: Sequence[str] = KINDS) -> Rule:
    """What ships; of its kinds the most probable."""
    classifier = diagnose([one for one in fit if one.kind in kinds], kinds).picture

    def rule(one: Observation) -> str:
        probabilities = classifier.probabilities(picture_vector(one.moments, one.tones)[None])[0]
        sums: dict[str, float] = {}
        for kind, probability in zip(kinds, probabilities.tolist(), strict=True):
            sums[group_of(kind, groups)] = sums.get(group_of(kind, groups), 0.0) + probability
        return max(sums, key=sums.__getitem__)

    return rule


def part(first: int, last: int, tones: bool = False) -> Callable[[Observation], Tensor]:
    """Some of the statistics: from and to a place of `local_vectors`."""

    def statistics(one: Observation) -> Tensor:
        local = local_vectors(one.moments.mean(0))[first:last]
        return torch.cat((local, one.tones)) if tones else local

    return statistics


def tried(rule: Rule, test: Sequence[Observation], groups: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Confusion and shares on the test specimens."""
    confusion = {kind: dict.fromkeys((CLEAN, *groups, UNKNOWN), 0) for kind in KINDS}
    for one in test:
        confusion[one.kind][rule(one)] += 1
    each = len(test) // len(KINDS)
    right = {kind: row[group_of(kind, groups)] / each for kind, row in confusion.items()}
    strange = [confusion[kind] for kind in STRANGE]
    treated = sum(count for row in strange for name, count in row.items() if name in groups)
    return {
        "known_right_group": sum(right[kind] for kind in GRIDS_ELEVEN) / len(GRIDS_ELEVEN),
        "clean_called_clean": right[CLEAN],
        "unknown_noticed": sum(right[kind] for kind in STRANGE) / len(STRANGE),
        "unknown_treated": treated / (each * len(STRANGE)),
        "confusion": confusion,
    }


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=240, help="training photographs, drawn with seed 0")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    started = time.monotonic()
    bundle = Bundle.load()
    groups = {group.name: group.degradations for group in bundle.groups}
    features = describer(bundle.descriptor(), "cpu")
    photographs = find_pictures(arguments.training)
    random.Random(0).shuffle(photographs)
    folder = arguments.runs / "observations"
    fit = observe(features, photographs[: arguments.pictures], KINDS, folder)
    test = observe(features, find_pictures(arguments.test), KINDS, folder, seed=1)
    deep = MOMENTS * features.width
    rules = {
        "one Gaussian a picture (GRIDS)": by_one_gaussian(fit, groups),
        "a Gaussian for each channel": by_channels(fit, groups, features.width),
        "discriminant: channels": by_discriminant(fit, groups, part(0, deep // 3)),
        "discriminant: channels, gradients": by_discriminant(fit, groups, part(0, deep)),
        "discriminant: channels, gradients, spectrum, residuals": by_discriminant(fit, groups, part(0, 10**6)),
        "discriminant: all with tones": by_discriminant(fit, groups, part(0, 10**6, tones=True)),
        "classifier: all with tones (ships)": by_classifier(fit, groups),
    }
    rows = {name: tried(rule, test, groups) for name, rule in rules.items()}
    for left_out in STRANGE:
        seen = [kind for kind in KINDS if kind != left_out]
        confusion = tried(by_classifier(fit, groups, seen), test, groups)["confusion"]
        rows[f"classifier that never saw {left_out}"] = {"confusion": {left_out: confusion[left_out]}}
    for name, row in rows.items():
        sys.stdout.write(f"{name}: { ({k: round(v, 3) for k, v in row.items() if k != 'confusion'} or row) }\n")
    record = provenance(["python", *sys.argv], [0, 1], time.monotonic() - started)
    facts = {"training_photographs": arguments.pictures, "test_specimens_a_kind": len(test) // len(KINDS)}
    write_result(arguments.output, {"rules": rows, **facts, "provenance": record})


if __name__ == "__main__":
    main()
