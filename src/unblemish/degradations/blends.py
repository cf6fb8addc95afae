"""Degradations in sequence: given ones (`Chain`) and LIRA's blends (`Blend`).

A blend follows RL-Restore (Yu et al., "Crafting a Toolchain for Image Restoration by Deep Reinforcement
Learning"), whose data LIRA trains and tests on: blur, then noise, then JPEG, each at one of ten levels, the
sum of the levels deciding how severe it is. LIRA's new tasks add haze or darkness; where in the sequence is
not stated, so they come first, as the scene comes before the lens, the sensor and the file. Rain in their
place is no paper's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters
from unblemish.degradations.blur import GaussianBlur
from unblemish.degradations.compression import Jpeg
from unblemish.degradations.darkness import Darkness
from unblemish.degradations.errors import DegradationError
from unblemish.degradations.noise import GaussianNoise
from unblemish.degradations.weather import Haze, RainStreaks


class Chain(Degradation):
    """Degradations applied one after the other, itself a degradation.

    Its parameters are those of its members, as "1.sigma" for the first member's sigma and so on, so that they
    can be set by `fixed` like those of any degradation; `sample` draws them as the members do.

    Args:
        members: The degradations in the order of application, at least one.
    """

    def __init__(self, members: Sequence[Degradation]) -> None:
        if not members:
            raise ValueError("a chain needs at least one degradation")
        self.members = tuple(members)
        self.name = "+".join(member.name for member in members)
        self.title = " + ".join(member.title for member in members)
        self.everywhere = any(member.everywhere for member in members)
        self.rest = "+".join(member.name for member in members if not member.everywhere)
        self.specs = {
            f"{position}.{key}": spec
            for position, member in enumerate(members, start=1)
            for key, spec in member.specs.items()
        }

    def sample(self, batch: int, generator: torch.Generator) -> Parameters:
        """See `Degradation.sample`; what a member draws together stays together."""
        return {
            f"{position}.{key}": values
            for position, member in enumerate(self.members, start=1)
            for key, values in member.sample(batch, generator).items()
        }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        damaged = clean
        for position, member in enumerate(self.members, start=1):
            own = {key: parameters[f"{position}.{key}"] for key in member.specs}
            damaged = member.apply(damaged, own, generator)
        return damaged


Severity = Literal["mild", "moderate", "severe"]
"""How much damage a blend does."""

SCENES: dict[str, tuple[type[Degradation], ...]] = {
    "none": (),
    "haze": (Haze,),
    "darkness": (Darkness,),
    "rain": (RainStreaks,),
}
"""What happens to a blend's scene before the camera sees it. Adding one is one line."""

SCORES: dict[Severity, tuple[int, int]] = {"mild": (9, 11), "moderate": (12, 17), "severe": (18, 20)}
"""Smallest and largest score k + m + n - 2 of the levels (blur k, noise m, JPEG n), each level 1..10."""

BIN_EDGES: dict[str, tuple[float, ...]] = {
    "sigma of the blur": tuple(0.5 * level for level in range(11)),
    "sigma of the noise": tuple(5.0 * level for level in range(11)),
    "quality": (100.0, 80.0, 60.0, 50.0, 40.0, 35.0, 30.0, 25.0, 20.0, 15.0, 10.0),
}
"""Level k of a factor lies between its edges k - 1 and k: pixels; of the range 0..255; libjpeg quality."""


def level_triples(severity: Severity) -> Tensor:
    """All levels (blur, noise, JPEG) of a severity: 163 mild, 434 moderate, 163 severe ones.

    Returns:
        `(N, 3)`, int64, values 1..10.
    """
    low, high = SCORES[severity]
    return torch.tensor([levels for levels in product(range(1, 11), repeat=3) if low <= sum(levels) - 2 <= high])


def value_at(edges: tuple[float, ...], level: Tensor) -> Tensor:
    """The factor's value at a level on a continuous scale, where bin k reaches from k - 1 to k.

    Args:
        edges: The eleven edges of the factor's bins.
        level: Any shape, 0..10.

    Returns:
        The same shape; linear within each bin.
    """
    edge = torch.tensor(edges)
    below = level.floor().long().clamp(max=len(edges) - 2)
    return edge[below] + (level - below) * (edge[below + 1] - edge[below])


def blend_name(severity: Severity, scene: str) -> str:
    """What the blend of a severity and a scene is called, such as "mild_blend" or "mild_blend_with_haze"."""
    return f"{severity}_blend" if scene == "none" else f"{severity}_blend_with_{scene}"


class Blend(Chain):
    """Blur, noise and JPEG at levels that are drawn together, after damage to the scene where wanted.

    `sample` draws a triple of levels uniformly among the severity's, and each value uniformly within its
    level's bin (the JPEG quality rounded); the scene's damage is drawn from its own ranges. `fixed`
    defaults to the values at the severity's mean level. Blur is RL-Restore's, 21 x 21 with the edge pixels
    repeated.

    Args:
        severity: "mild", "moderate" or "severe".
        scene: A key of `SCENES`.

    Raises:
        DegradationError: The severity or the scene is not one of these.
    """

    def __init__(self, severity: Severity, scene: str = "none") -> None:
        for word, known, what in ((severity, SCORES, "severity"), (scene, SCENES, "scene")):
            if word not in known:
                raise DegradationError(f"no {what} of a blend is called {word!r}; known are: {', '.join(known)}")
        before = (kind() for kind in SCENES[scene])
        super().__init__([*before, GaussianBlur(21, "replicate"), GaussianNoise(), Jpeg()])
        self.name = blend_name(severity, scene)
        self.rest = blend_name(severity, "none")
        self.title = self.name.replace("_", " ").capitalize()
        self._triples = level_triples(severity)
        first = len(self.members) - 2
        self._keys = (f"{first}.sigma", f"{first + 1}.sigma", f"{first + 2}.quality")
        middle = self._triples.float().mean() - 0.5
        specs = dict(self.specs)
        for key, edges in zip(self._keys, BIN_EDGES.values(), strict=True):
            default = float(value_at(edges, middle))
            specs[key] = replace(
                specs[key],
                default=float(round(default)) if specs[key].integer else default,
                low=min(edges),
                high=max(edges),
            )
        self.specs = specs

    def sample(self, batch: int, generator: torch.Generator) -> Parameters:
        """See `Degradation.sample`; the levels of a picture are drawn together."""
        drawn = super().sample(batch, generator)
        triples = self._triples[torch.randint(len(self._triples), (batch,), generator=generator)]  # (batch, 3)
        levels = triples - 1 + torch.rand(batch, 3, generator=generator)
        for key, edges, level in zip(self._keys, BIN_EDGES.values(), levels.unbind(1), strict=True):
            values = value_at(edges, level)
            drawn[key] = values.round() if self.specs[key].integer else values
        return drawn
