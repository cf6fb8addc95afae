"""Loss of resolution."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec


def resized(pictures: Tensor, height: int, width: int) -> Tensor:
    """Bicubic resampling as Pillow and MATLAB do it: coefficient -0.5, the kernel widened when shrinking.

    Args:
        pictures: `(B, C, H, W)`.
        height: New H.
        width: New W.

    Returns:
        `(B, C, height, width)`; may leave [0, 1] a little.
    """
    # Without antialias torch uses the coefficient -0.75, also when enlarging.
    return nn.functional.interpolate(pictures, (height, width), mode="bicubic", antialias=True)


class SuperResolution(Degradation):
    """Bicubic shrinking, then bicubic enlarging to the exact old size.

    GRIDS does not say how its super-resolution inputs were made; its scores fit a factor of 2 or less. Sides that are
    no multiple of a whole factor are continued by their last pixels and cut again, so that the factor is exact.
    """

    name = "super_resolution"
    title = "SR"
    specs: Mapping[str, ParameterSpec] = {
        "factor": ParameterSpec(2, 2, 2, "times", "shrinking factor", minimum=1, maximum=16)
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        height, width = clean.shape[-2:]
        result = torch.empty_like(clean)
        factors = parameters["factor"]
        for factor in factors.unique().tolist():
            chosen = (factors == factor).nonzero()[:, 0].to(clean.device)
            # Sides are continued to multiples of a whole factor, which would otherwise be another one for odd sides.
            below, right = (-side % int(factor) if factor == int(factor) else 0 for side in (height, width))
            whole = nn.functional.pad(clean[chosen], (0, right, 0, below), mode="replicate")
            rows, columns = whole.shape[-2:]
            small = resized(whole, max(1, round(rows / factor)), max(1, round(columns / factor))).clamp(0.0, 1.0)
            result[chosen] = resized(small, rows, columns)[..., :height, :width]
        return result
