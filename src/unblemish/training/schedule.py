"""Learning rate as a function of the step alone."""

from __future__ import annotations

import math
from typing import Literal

Decay = Literal["cosine", "exponential"]
"""How a rate falls to its floor: slowly at both ends, or by the same factor in every step."""


def rate_factor(step: int, *, steps: int, warmup: int, floor: float, decay: Decay = "cosine") -> float:
    """Factor on the base rate for step number `step` (from 0): linear warm-up, then from 1 to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    if decay == "exponential":
        return floor**progress
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
