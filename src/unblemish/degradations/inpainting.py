"""Strokes painted over the picture, to be filled in without being told where they are."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from unblemish.degradations.base import Degradation, Parameters, ParameterSpec, per_picture


def stroke_mask(ends: Tensor, thickness: Tensor, count: Tensor, height: int, width: int) -> Tensor:
    """Where straight strokes with round ends lie.

    Args:
        ends: `(B, S, 4)`, the strokes' end points y0, x0, y1, x1 in pixels.
        thickness: `(B,)`, full width in pixels.
        count: `(B,)`, how many of the S strokes each picture has.
        height: H.
        width: W.

    Returns:
        `(B, 1, H, W)`, bool, on the device of `ends`.
    """
    rows = torch.arange(height, device=ends.device, dtype=ends.dtype)[None, :, None]  # (1, H, 1)
    columns = torch.arange(width, device=ends.device, dtype=ends.dtype)[None, None, :]  # (1, 1, W)
    radius = 0.5 * thickness.to(ends)
    covered = torch.zeros(len(ends), height, width, dtype=torch.bool, device=ends.device)
    for index in range(ends.shape[1]):
        y0, x0, y1, x1 = (value[:, None, None] for value in ends[:, index].unbind(1))  # each (B, 1, 1)
        length = torch.hypot(y1 - y0, x1 - x0)
        # A stroke without length has no direction; any will do for a dot.
        uy = torch.where(length > 0.0, (y1 - y0) / length, 0.0)
        ux = torch.where(length > 0.0, (x1 - x0) / length, 1.0)
        dy, dx = rows - 0.5 * (y0 + y1), columns - 0.5 * (x0 + x1)
        beyond = ((dy * uy + dx * ux).abs_() - 0.5 * length).clamp_(min=0.0)
        aside = dy * ux - dx * uy
        # A stroke beyond the picture's count gets a negative limit, which no distance meets.
        limit = torch.where(index < count.to(ends), radius**2, -1.0)[:, None, None]  # (B, 1, 1)
        covered |= beyond.square_().addcmul_(aside, aside) <= limit
    return covered[:, None]  # (B, 1, H, W)


class Inpainting(Degradation):
    """Straight strokes between random points, all white or all black in one picture.

    GRIDS's published function draws 5 to 10 strokes of 5 to 10 pixels on crops of 256 x 256; the fixed
    setting is 10 strokes of 7 pixels.
    """

    name = "inpainting"
    title = "Inpainting"
    specs: Mapping[str, ParameterSpec] = {
        "count": ParameterSpec(10, 5, 10, "strokes", "strokes a picture", integer=True, maximum=100),
        "thickness": ParameterSpec(7, 5, 10, "pixels", "width of a stroke", integer=True, minimum=1, maximum=500),
    }

    def damage(self, clean: Tensor, parameters: Parameters, generator: torch.Generator) -> Tensor:
        """See `Degradation.damage`."""
        batch, _, height, width = clean.shape
        strokes = int(parameters["count"].max())
        draw = torch.rand(batch, strokes + 1, 4, generator=generator, device=clean.device)
        size = torch.tensor([height, width, height, width], dtype=clean.dtype, device=clean.device)
        mask = stroke_mask(draw[:, :-1] * size, parameters["thickness"], parameters["count"], height, width)
        colour = (draw[:, -1, 0] < 0.5).to(clean.dtype)
        return torch.where(mask, per_picture(colour, clean), clean)
