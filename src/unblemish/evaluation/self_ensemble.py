"""The geometric self-ensemble: a picture restored in its eight orientations, and the results averaged.

Source: Timofte, Rothe and Van Gool, "Seven ways to improve example-based single image super resolution", CVPR 2016,
Sec. 3.6. Its price is eight times the work. CLEARER (Gou et al., NeurIPS 2020) tests whole pictures with it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def self_ensemble(restore: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Averages over the four quarter turns of a picture and of its mirror image.

    Args:
        restore: `(B, 3, H, W)` float32 in [0, 1] to `(B, 3, s * H, s * W)`; called once for each orientation, each time
            with a tensor of its own. Results beyond [0, 1] are averaged as they are.

    Returns:
        A function of the same kind; its results are clamped to [0, 1] after averaging.
    """

    def restored(pictures: Tensor) -> Tensor:
        total: Tensor | None = None
        for mirrored in (False, True):
            for turns in range(4):
                turned = torch.rot90(pictures.flip(-1) if mirrored else pictures, turns, (-2, -1))
                result = torch.rot90(restore(turned.clone(memory_format=torch.contiguous_format)), -turns, (-2, -1))
                upright = result.flip(-1) if mirrored else result  # (B, 3, s * H, s * W)
                total = upright if total is None else total + upright
        assert total is not None
        return (total / 8).clamp(0.0, 1.0)

    return restored
