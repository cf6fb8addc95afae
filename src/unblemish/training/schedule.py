"""Learning rate as a function of the step alone."""

from __future__ import annotations

import math


def rate_factor(step: int, *, steps: int, warmup: int, floor: float) -> float:
    """Factor on the base rate for step number `step` (from 0): linear warm-up, cosine from 1 to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
