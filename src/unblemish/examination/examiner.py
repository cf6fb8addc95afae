"""Examiner: says of a picture what is wrong with it, whether that can be treated, and what treatment would bring."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch import Tensor

from unblemish.degradations.quantisation import quantise_8bit
from unblemish.examination.calibration import decide
from unblemish.examination.errors import ExaminationError
from unblemish.examination.examination import Examination, Gain, Region, Verdict
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.generalised_gaussian import group_mean, kl_divergence, log_distance
from unblemish.examination.knowledge import Knowledge
from unblemish.examination.parts import damaged_part, speaks_for
from unblemish.examination.patches import SIDE, PatchGrid
from unblemish.examination.specimens import CLEAN
from unblemish.examination.statistics import Measurement, local_vectors, measure, picture_vector
from unblemish.pictures.picture import Picture, to_float

UNKNOWN = str(Verdict.UNKNOWN)

REFUSAL = 4.0
"""Log distance above which the rule of GRIDS takes a picture for out of its domain (Sec. 6.2)."""

RULES = ("statistics", "divergence")
"""How a group is chosen: by the calibrated classifier on the picture's statistics, or as in GRIDS (Eq. 7) by the
smallest KL divergence from the group's generalised Gaussian to the picture's."""


class _Judgement(NamedTuple):
    """Statistics `(1, D)`, probabilities of kinds `(C,)` and of clean, groups, unknown, and which of these it is."""

    vector: Tensor
    kinds: Tensor
    sums: Tensor
    place: int


class Examiner:
    """Examines pictures.

    Args:
        features: The descriptor, with tap "trunk".
        knowledge: Calibrated with that descriptor.

    Raises:
        ExaminationError: The knowledge is of a descriptor of another width.

    Attributes:
        rules: How a group can be chosen; the first is the default.
        groups: Names of the groups that it can choose.
        strangers: Degradations that were shown to it as examples of unknown damage.
        signatures: Generalised Gaussians of clean pictures and of each group.
    """

    rules = RULES

    def __init__(self, features: DeepRepresentation, knowledge: Knowledge) -> None:
        seen = measure(features, torch.zeros(3, SIDE, SIDE))
        if len(picture_vector(seen.moments, seen.tones)) != len(knowledge.picture.mean):
            raise ExaminationError("the examiner's knowledge is of another descriptor: fetch the bundle again")
        self._features = features
        self._knowledge = knowledge
        self.groups = tuple(knowledge.settings.groups)
        self.strangers = tuple(
            kind for kind in knowledge.settings.kinds if kind != CLEAN and knowledge.settings.group_of(kind) is None
        )
        self.signatures = {CLEAN: knowledge.signatures[CLEAN]} | {
            group: group_mean([knowledge.signatures[kind] for kind in kinds])
            for group, kinds in knowledge.settings.groups.items()
        }

    def examine(self, picture: Picture, rule: str | None = None) -> Examination:
        """Examines a picture of any size and sample type; gray ones as equal colours, alpha is ignored.

        Args:
            picture: Not changed.
            rule: One of `rules`; None takes the first.

        Raises:
            ExaminationError: There is no such rule.
        """
        pixels = torch.from_numpy(to_float(picture.pixels)).permute(2, 0, 1)  # (C, H, W)
        return self.examine_tensor(pixels.expand(3, -1, -1), rule)

    @torch.no_grad()
    def examine_tensor(self, x: Tensor, rule: str | None = None) -> Examination:
        """`examine` for `(3, H, W)`; values are rounded to 8 bit and clamped to [0, 1], NaN counts as 0.

        Raises:
            ExaminationError: There is no such rule, or no pixel.
        """
        began = time.perf_counter()
        rule = RULES[0] if rule is None else rule
        if rule not in RULES:
            raise ExaminationError(f"there is no rule '{rule}': choose {' or '.join(RULES)}")
        if x.ndim != 3 or len(x) != 3 or not x.numel():
            raise ExaminationError(f"a picture has the shape (3, H, W), not {tuple(x.shape)}")
        # 8 bit, since that is what the examiner was calibrated on: finer levels would look like damage of their own.
        measured = measure(self._features, quantise_8bit(x.nan_to_num(0.0, 1.0, 0.0).clamp(0.0, 1.0)).contiguous())
        settings = self._knowledge.settings
        regions = settings.sums(
            settings.of_parts(self._knowledge.region.probabilities(local_vectors(measured.moments)))
        )
        judged = self._judge(measured)
        distances = {
            name: log_distance(kl_divergence(known, measured.signature)) for name, known in self.signatures.items()
        }
        if rule == "statistics":
            if self._everywhere(judged):
                regions = judged.sums.expand(len(regions), -1)
            else:
                judged = self._judge_part(measured, regions, judged)
            place = judged.place
            group = self.groups[int(judged.sums[1:-1].argmax())]
        else:
            nearest = min(distances, key=distances.__getitem__)
            group = min(self.groups, key=distances.__getitem__)
            names = [CLEAN, *self.groups]
            place = len(names) if distances[nearest] > REFUSAL else names.index(nearest)
        verdict = Verdict.CLEAN if place == 0 else Verdict.KNOWN if place <= len(self.groups) else Verdict.UNKNOWN
        names = (CLEAN, *self.groups, UNKNOWN)
        return Examination(
            verdict=verdict,
            group=group,
            probabilities=dict(zip(names, judged.sums.tolist(), strict=True)),
            distances=distances,
            degradations=self._degradations(judged.kinds),
            signature=measured.signature,
            gain=self._gain(judged.vector, verdict, group, judged.kinds),
            regions=self._regions(measured.grid, regions, group),
            rule=rule,
            seconds=time.perf_counter() - began,
        )

    def _judge(self, measured: Measurement, part: Tensor | None = None) -> _Judgement:
        """By the mean over the patches of a part, or over all."""
        settings = self._knowledge.settings
        vector = picture_vector(measured.moments, measured.tones, part)[None]
        said = self._knowledge.picture.probabilities(vector)[0]
        kinds = settings.of_pictures(said) if part is None else settings.of_parts(said)
        sums = settings.sums(kinds)
        return _Judgement(vector, kinds, sums, int(decide(sums[None], settings.sure)))

    def _everywhere(self, whole: _Judgement) -> bool:
        """Whether a picture is of a group whose damage has no parts."""
        known = 0 < whole.place <= len(self.groups)
        return known and self.groups[whole.place - 1] in self._knowledge.settings.everywhere

    def _judge_part(self, measured: Measurement, regions: Tensor, whole: _Judgement) -> _Judgement:
        """By the damaged part if there is one; unknown if its patches speak neither for its group nor the whole's."""
        if (part := damaged_part(regions)) is None:
            return whole
        known = range(1, len(self.groups) + 1)
        for judged in (self._judge(measured, part), whole):
            if judged.place in known and speaks_for(regions, judged.place):
                return judged
        return whole._replace(place=len(self.groups) + 1) if whole.place in known else whole

    def _degradations(self, kinds: Tensor) -> dict[str, float]:
        """Of the known ones, most probable first."""
        settings = self._knowledge.settings
        known = {kind: float(p) for kind, p in zip(settings.kinds, kinds, strict=True) if settings.group_of(kind)}
        total = sum(known.values()) or 1.0
        return {kind: known[kind] / total for kind in sorted(known, key=known.__getitem__, reverse=True)}

    def _gain(self, vector: Tensor, verdict: Verdict, group: str, kinds: Tensor) -> Gain:
        settings = self._knowledge.settings
        if verdict is Verdict.CLEAN:
            return Gain(0.0, 0.0, 0.0, 1.0)
        candidates = settings.groups[group] if verdict is Verdict.KNOWN else tuple(settings.margin)
        probable = max(candidates, key=lambda kind: float(kinds[settings.kinds.index(kind)]))
        expected, margin = float(self._knowledge.gain.values(vector)), settings.margin[probable]
        return Gain(expected, expected - margin, expected + margin, settings.coverage)

    def _regions(self, grid: PatchGrid, sums: Tensor, group: str) -> tuple[tuple[Region, ...], ...]:
        names = (CLEAN, *self.groups, UNKNOWN)
        rows = []
        for row, top in enumerate(grid.tops):
            values = sums[row * len(grid.lefts) : (row + 1) * len(grid.lefts)]
            rows.append(
                tuple(
                    Region(
                        top,
                        left,
                        SIDE,
                        1 - float(value[0]),
                        names[int(value.argmax())],
                        float(value[names.index(group)]),
                    )
                    for left, value in zip(grid.lefts, values, strict=True)
                )
            )
        return tuple(rows)
