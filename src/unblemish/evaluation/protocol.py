"""Protocols: everything between a restored picture and its score, stated once and printed with every number.

Published scores of one network differ by 1 to 2 dB because these choices go unsaid. The steps, in this order:
clamp to [0, 1], round to 8 bit, crop the border, convert to the scored channels, compare in float64, average
the scores of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from unblemish.degradations.quantisation import quantise_8bit
from unblemish.evaluation.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Protocol:
    """How pictures are compared; applied alike to the clean, the damaged and the restored picture.

    Attributes:
        name: Key of the preset, or a name of its own.
        channels: "rgb" for all three at once, "y" for the luma of BT.601 in studio range, not rounded, "gray" for
            the first one of gray pictures, whose channels are equal.
        crop: Pixels left out at each border.
        rounded: Whether pictures are rounded to 8 bit, as a file would be.
        clamped: Whether values are limited to [0, 1].
        ssim_window: "gaussian" for 11 x 11 with sigma 1.5; "uniform" for 7 x 7 with sample covariances.
        ssim_border: "inside" for windows that lie within the picture; "zero" for a window at every pixel, zeros around
            the picture.
        psnr_ceiling: Decibels that identical pictures, and any better than that, count as.
        set_name: The pictures, such as "bsds500/val (100)"; empty until the scoring knows.
        data_range: The value of white.
        dtype: Type the comparison is computed in.
        averaging: How one number is made of many.
    """

    name: str
    channels: Literal["rgb", "y", "gray"] = "rgb"
    crop: int = 0
    rounded: bool = True
    clamped: bool = True
    ssim_window: Literal["gaussian", "uniform"] = "gaussian"
    psnr_ceiling: float = 100.0
    set_name: str = ""
    data_range: float = 1.0
    dtype: str = "float64"
    averaging: str = "mean over pictures of per-picture scores"
    ssim_border: Literal["inside", "zero"] = "inside"

    def __post_init__(self) -> None:
        if self.crop < 0:
            raise ValueError(f"crop must be 0 or more pixels, not {self.crop}")
        if self.rounded and not self.clamped:
            raise ValueError("8 bits hold only [0, 1]: a rounded comparison is a clamped one")

    def prepare(self, pictures: Tensor) -> Tensor:
        """The values that are compared.

        Args:
            pictures: `(B, 3, H, W)`, floating point, white at 1.

        Returns:
            `(B, C, H - 2 * crop, W - 2 * crop)` float64, C = 3 for "rgb", else 1.

        Raises:
            EvaluationError: The crop leaves nothing of the pictures.
        """
        height, width = pictures.shape[-2:]
        if min(height, width) <= 2 * self.crop:
            raise EvaluationError(
                f"{width} x {height} pixels are too few for protocol {self.name}, which crops {self.crop} "
                "at each border; leave this picture out or choose another protocol"
            )
        values = pictures.double()
        if self.clamped:
            values = values.clamp(0.0, 1.0)
        if self.rounded:
            values = quantise_8bit(values)
        values = values[..., self.crop : height - self.crop, self.crop : width - self.crop]
        if self.channels == "gray":
            return values[:, :1]
        return luma(values) if self.channels == "y" else values

    def check(self, picture: Tensor) -> None:
        """Refuses a coloured picture where one channel is to stand for all three.

        Args:
            picture: `(1, 3, H, W)`, clean or damaged, white at 1.

        Raises:
            EvaluationError: The protocol compares gray, and the channels differ by more than half a level of 8 bits.
        """
        if self.channels == "gray" and float((picture - picture[:, :1]).abs().max()) > 0.5 / 255:
            raise EvaluationError(
                f"its colours differ, but protocol {self.name} compares one channel for all; turn pictures to gray "
                "(--gray) and damage the colours alike (gray_gaussian_noise), or choose another protocol"
            )

    def on(self, set_name: str) -> Protocol:
        """The same protocol on a named set of pictures."""
        return replace(self, set_name=set_name)

    def __str__(self) -> str:
        """One line that states every choice."""
        window = {"gaussian": "Gaussian 11x11 sigma 1.5", "uniform": "uniform 7x7, sample covariance"}
        border = {"inside": "", "zero": ", zero-padded, at every pixel"}
        parts = [
            {"rgb": "RGB", "y": "Y of BT.601 (studio range, not rounded)", "gray": "gray"}[self.channels],
            f"border of {self.crop} px cropped" if self.crop else "no crop",
            "rounded to 8 bit" if self.rounded else "not rounded",
            "clamped to [0, 1]" if self.clamped else "not clamped",
            f"data range {self.data_range:g}",
            self.dtype,
            f"SSIM window {window[self.ssim_window]}{border[self.ssim_border]}",
            f"PSNR at most {self.psnr_ceiling:g} dB",
            self.averaging,
        ]
        where = f" on {self.set_name}" if self.set_name else ""
        return f"{self.name}{where}: {', '.join(parts)}"


def luma(rgb: Tensor) -> Tensor:
    """Luma of ITU-R BT.601 in studio range, as MATLAB's `rgb2ycbcr` computes it for floating-point pictures.

    Args:
        rgb: `(B, 3, H, W)`, white at 1.

    Returns:
        `(B, 1, H, W)` of the same dtype, from 16/255 (black) to 235/255 (white), not rounded.
    """
    red, green, blue = rgb.split(1, dim=1)  # three of (B, 1, H, W)
    return (16.0 + 65.481 * red + 128.553 * green + 24.966 * blue) / 255.0


_PRESETS: dict[str, Protocol] = {
    "rgb": Protocol("rgb"),
    "y": Protocol("y", channels="y"),
    "y_crop4": Protocol("y_crop4", channels="y", crop=4),
    "lira": Protocol("lira", rounded=False, ssim_window="uniform"),
    "gray": Protocol("gray", channels="gray"),
    "clearer": Protocol("clearer", channels="gray", rounded=False, ssim_border="zero"),
}


def preset_names() -> tuple[str, ...]:
    """Names of the presets."""
    return tuple(_PRESETS)


def preset(name: str) -> Protocol:
    """A protocol by name.

    "rgb" is what GRIDS and most all-in-one papers report, "y" what deraining and denoising of luma do,
    "y_crop4" what super-resolution by 4 does, and "lira" what the code that LIRA compares with computes (its
    floor of 1e-10 on the squared error is the ceiling of 100 dB). "gray" is "rgb" for gray pictures, and "clearer" what
    the released code of CLEARER (Gou et al., NeurIPS 2020) computes on them.

    Raises:
        EvaluationError: The name is not known.
    """
    if name not in _PRESETS:
        raise EvaluationError(f"no protocol is called {name!r}; choose one of: {', '.join(_PRESETS)}")
    return _PRESETS[name]
