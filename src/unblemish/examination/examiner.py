"""Examiner: says of a picture what is wrong with it, whether that can be treated, and what treatment would bring."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from unblemish.degradations.quantisation import quantise_8bit
from unblemish.examination.calibration import decide
from unblemish.examination.errors import ExaminationError
from unblemish.examination.examination import Examination, Gain, Region, Verdict
from unblemish.examination.features import DeepRepresentation
from unblemish.examination.generalised_gaussian import group_mean, kl_divergence, log_distance
from unblemish.examination.knowledge import Knowledge
from unblemish.examination.patches import SIDE
from unblemish.examination.specimens import CLEAN
from unblemish.examination.statistics import Measurement, local_vectors, measure, picture_vector
from unblemish.pictures.picture import Picture, to_float

UNKNOWN = str(Verdict.UNKNOWN)

REFUSAL = 4.0
"""Log distance above which the rule of GRIDS takes a picture for out of its domain (Sec. 6.2)."""

SURELY_DAMAGED = 0.9
"""Probability of damage from which on a patch counts in judging the damaged part of a picture."""

OWN = 0.8
"""Probability from which on a patch speaks for a group."""

FEWEST = 3
"""Patches that have to speak for a group, if only a part of the picture is damaged; and half of the damaged ones."""

LEAST_SOUND = 0.2
"""Share of patches that have to be rather clean, if only a part of the picture is damaged. These four were chosen on
photographs that no calibration had seen, half or a quarter of which was damaged: recipes/local_damage.py."""

RULES = ("statistics", "divergence")
"""How a group is chosen: by the calibrated classifier on the picture's statistics, or as in GRIDS (Eq. 7) by the
smallest KL divergence from the group's generalised Gaussian to the picture's."""


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
            kind for kind in knowledge.settings.kinds if kind != CLEAN and knowledge.group_of(kind) is None
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
        vector, kinds, sums = self._judge(measured)
        distances = {
            name: log_distance(kl_divergence(known, measured.signature)) for name, known in self.signatures.items()
        }
        if rule == "statistics":
            place = self._place(sums)
            if not 0 < place <= len(self.groups) and (part := self._judge_part(measured)):
                vector, kinds, sums = part
                place = self._place(sums)
            group = self.groups[int(sums[1:-1].argmax())]
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
            probabilities=dict(zip(names, sums.tolist(), strict=True)),
            distances=distances,
            degradations=self._degradations(kinds),
            signature=measured.signature,
            gain=self._gain(vector, verdict, group, kinds),
            regions=self._regions(measured, group),
            rule=rule,
            seconds=time.perf_counter() - began,
        )

    def _judge(self, measured: Measurement, chosen: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """By the chosen patches: statistics `(1, D)`, probabilities of kinds `(C,)`, of clean, groups and unknown."""
        vector = picture_vector(measured.moments, measured.tones, chosen)[None]
        kinds = self._knowledge.picture.probabilities(vector)[0]
        return vector, kinds, self._knowledge.sums(kinds)

    def _place(self, sums: Tensor) -> int:
        return int(decide(sums[None], self._knowledge.settings.sure))

    def _judge_part(self, measured: Measurement) -> tuple[Tensor, Tensor, Tensor] | None:
        """`_judge` by the damaged patches alone; None if they are not a part, or speak for no group together.

        The mean over a picture of which half is damaged resembles neither that damage nor clean pictures. In clean
        ones, too, a few patches look damaged, but hardly ever most of them in the same way.
        """
        regions = self._knowledge.sums(self._knowledge.region.probabilities(local_vectors(measured.moments)))
        damage = 1 - regions[:, 0]  # (P,)
        chosen = (damage >= SURELY_DAMAGED).nonzero().flatten()
        rather = int((damage > 0.5).sum())
        if not len(chosen) or len(damage) - rather < LEAST_SOUND * len(damage):
            return None
        found = self._judge(measured, chosen)
        place = self._place(found[2])
        if not 0 < place <= len(self.groups):
            return None
        own = int((regions[:, place] >= OWN).sum())
        return found if own >= FEWEST and 2 * own >= rather else None

    def _degradations(self, kinds: Tensor) -> dict[str, float]:
        """Of the known ones, most probable first."""
        settings = self._knowledge.settings
        known = {
            kind: float(p) for kind, p in zip(settings.kinds, kinds, strict=True) if self._knowledge.group_of(kind)
        }
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

    def _regions(self, measured: Measurement, group: str) -> tuple[tuple[Region, ...], ...]:
        grid = measured.grid
        sums = self._knowledge.sums(self._knowledge.region.probabilities(local_vectors(measured.moments)))
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
