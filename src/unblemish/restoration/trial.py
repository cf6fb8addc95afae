"""Trial: how well a bundle chooses, foretells and treats, on pictures whose damage is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unblemish.degradations.catalogue import names, operators
from unblemish.evaluation.cases import CLEAN, Case, CaseSet, Unusable
from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.examination.examination import Examination, Verdict
from unblemish.pictures.picture import Picture
from unblemish.restoration.bundle_parts import Group
from unblemish.restoration.restorer import Restorer

HARM = 0.1
"""Decibels that a picture may lose before it counts as harmed."""

PROTOCOL = preset("rgb")


def damage_for(groups: Sequence[Group]) -> list[str]:
    """What a bundle of these groups is tried on by default: all operators, the blends that it treats, and none."""
    treated = [name for group in groups for name in group.degradations if name in names()]
    return [*dict.fromkeys([*operators(), *treated]), CLEAN]


@dataclass(frozen=True, slots=True)
class Finding:
    """What happened to one picture.

    Attributes:
        kind: Its damage: a degradation, a chain of them, or "clean".
        picture: Its name.
        verdict: "clean", "known" or "unknown".
        group: The group that was, or would be, chosen.
        by_divergence: What the rule of GRIDS says: "clean", a group, or "unknown".
        before: PSNR of the damaged picture, decibels.
        after: PSNR of what the Restorer gave back.
        true_group: PSNR after treatment by the group that the damage belongs to; None where there is none.
        predicted: Predicted gain, decibels.
        low: Lower end of its interval.
        high: Upper end of its interval.
        local: Whether only a part was treated.
        seconds: Time of the examination.
    """

    kind: str
    picture: str
    verdict: str
    group: str
    by_divergence: str
    before: float
    after: float
    true_group: float | None
    predicted: float
    low: float
    high: float
    local: bool
    seconds: float

    @property
    def chosen(self) -> str:
        """The verdict, with the group's name in place of "known"."""
        return self.group if self.verdict == Verdict.KNOWN else self.verdict

    @property
    def gain(self) -> float:
        """Decibels."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Trial:
    """The findings about all pictures.

    Attributes:
        groups: Degradations by group.
        strangers: Damage that the examiner was shown as unknown; other kinds without a group count for gains and
            harm alone.
        findings: In the order they were made.
        failures: "KIND/PICTURE: reason" of what could not be used.
        protocol: How PSNR is computed, in words.
    """

    groups: dict[str, tuple[str, ...]]
    strangers: tuple[str, ...]
    findings: tuple[Finding, ...]
    failures: tuple[str, ...]
    protocol: str

    def group_of(self, kind: str) -> str | None:
        """The group a kind belongs to."""
        return next((group for group, members in self.groups.items() if kind in members), None)

    def confusion(self, by_divergence: bool = False) -> dict[str, dict[str, int]]:
        """For each kind how many pictures were taken for "clean", each group, and "unknown"."""
        columns = (CLEAN, *self.groups, str(Verdict.UNKNOWN))
        table = {one.kind: dict.fromkeys(columns, 0) for one in self.findings}
        for one in self.findings:
            table[one.kind][one.by_divergence if by_divergence else one.chosen] += 1
        return table

    def gains(self) -> dict[str, float]:
        """Mean gain by kind, decibels; clean pictures have none."""
        kinds = [kind for kind in self.confusion() if kind != CLEAN]
        return {kind: float(np.mean([one.gain for one in self.findings if one.kind == kind])) for kind in kinds}

    def figures(self) -> dict[str, float]:
        """The shares and decibels that a bundle is judged by; those without any picture are left out."""
        known = [one for one in self.findings if self.group_of(one.kind)]
        clean = [one for one in self.findings if one.kind == CLEAN]
        strange = [one for one in self.findings if one.kind in self.strangers]
        treated = [one for one in known if one.verdict == Verdict.KNOWN]
        damaged = [one for one in self.findings if one.kind != CLEAN]
        unknown, group = Verdict.UNKNOWN, self.group_of
        shares = {
            "known_given_the_right_network": [one.chosen == group(one.kind) for one in known],
            "known_right_group_by_divergence": [one.by_divergence == group(one.kind) for one in known],
            "known_called_unknown": [one.verdict == unknown for one in known],
            "known_called_clean": [one.verdict == CLEAN for one in known],
            "clean_called_clean": [one.verdict == CLEAN for one in clean],
            "unknown_noticed": [one.verdict == unknown for one in strange],
            "unknown_treated": [one.verdict == Verdict.KNOWN for one in strange],
            "harmed": [one.gain < -HARM for one in damaged],
            "gain_within_interval": [one.low <= one.gain <= one.high for one in treated],
            "treated_locally": [one.local for one in treated],
        }
        found = {name: float(np.mean(values)) for name, values in shares.items() if values}
        lost = [one.true_group - one.after for one in known if one.true_group is not None]
        if lost:
            found["decibels_lost_to_the_true_group"] = float(np.mean(lost))
            found["average_gain_on_known"] = float(np.mean([self.gains()[k] for k in self.gains() if group(k)]))
        if len(treated) > 2:
            found["rank_correlation_of_predicted_gain"] = rank_correlation(
                [one.predicted for one in treated], [one.gain for one in treated]
            )
        found["median_seconds_of_examination"] = float(np.median([one.seconds for one in self.findings]))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {
            "strangers": list(self.strangers),
            "groups": {name: list(members) for name, members in self.groups.items()},
            "protocol": self.protocol,
            "figures": self.figures(),
            "confusion": {"statistics": self.confusion(), "divergence": self.confusion(by_divergence=True)},
            "gains": self.gains(),
            "findings": [
                {k: round(v, 4) if type(v) is float else v for k, v in asdict(f).items()} for f in self.findings
            ],
            "failures": list(self.failures),
        }


def run_trial(
    restorer: Restorer, case_sets: Sequence[CaseSet], on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Trial:
    """Examines and restores every picture of every set.

    Args:
        restorer: With a bundle that examines pictures.
        case_sets: Damaged pictures; the kind of each set says to which group it belongs.
        on_progress: Told how many pictures of how many are done.
    """
    groups = {group.name: group.degradations for group in restorer.bundle.groups}
    findings: list[Finding] = []
    failures: list[str] = []
    total = sum(map(len, case_sets))
    for cases in case_sets:
        own = next((name for name, members in groups.items() if cases.kind in members), None)
        for case in cases:
            if isinstance(case, Unusable):
                failures.append(f"{cases.name}/{case.name}: {case.reason}")
            else:
                findings.append(_finding(restorer, cases.kind, own, case))
            on_progress(len(findings) + len(failures), total)
    sources = sorted({f"{cases.source} ({len(cases)})" for cases in case_sets})
    return Trial(groups, restorer.strangers, tuple(findings), tuple(failures), str(PROTOCOL.on(", ".join(sources))))


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's: the correlation of ranks, equal values sharing the mean of theirs; 0 where one side is constant."""
    if len({*x}) < 2 or len({*y}) < 2:
        return 0.0
    ranks = []
    for values in (x, y):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[place])
    return float(np.corrcoef(*ranks)[0, 1])


def _finding(restorer: Restorer, kind: str, own: str | None, case: Case) -> Finding:
    picture = Picture(case.damaged[0].permute(1, 2, 0).contiguous().numpy(), "png")  # (H, W, 3)
    restored, found = restorer.restore_examined(picture)
    assert found is not None
    after = torch.from_numpy(restored.pixels).permute(2, 0, 1)[None]  # (1, 3, H, W)
    return Finding(
        kind=kind,
        picture=case.name,
        verdict=str(found.verdict),
        group=found.group,
        by_divergence=_by_divergence(restorer, picture),
        before=_psnr(case.damaged, case.clean),
        after=_psnr(after, case.clean),
        true_group=None if own is None else _psnr(restorer.treat_as(own, case.damaged), case.clean),
        predicted=found.gain.expected,
        low=found.gain.low,
        high=found.gain.high,
        local=len(restored.notes) > 1,
        seconds=found.seconds,
    )


def _by_divergence(restorer: Restorer, picture: Picture) -> str:
    found = restorer.examine(picture, rule="divergence")
    assert isinstance(found, Examination)
    return found.group if found.verdict is Verdict.KNOWN else str(found.verdict)


def _psnr(x: Tensor, clean: Tensor) -> float:
    value = psnr(PROTOCOL.prepare(x), PROTOCOL.prepare(clean))
    return min(float(value), PROTOCOL.psnr_ceiling)
