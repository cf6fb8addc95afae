"""Losses between a restored and a clean batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def l1(output: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute difference of two `(B, C, H, W)` batches."""
    return (output - clean).abs().mean()


def mse(output: Tensor, clean: Tensor) -> Tensor:
    """Mean square difference of two `(B, C, H, W)` batches (CLEARER, Eq. 3)."""
    return (output - clean).square().mean()


def charbonnier(output: Tensor, clean: Tensor, smoothing: float = 1e-3) -> Tensor:
    """Mean of sqrt(d^2 + smoothing^2): `l1`, smooth near zero (Charbonnier et al., 1994)."""
    return torch.sqrt((output - clean).square() + smoothing**2).mean()


def golf_content(output: Tensor, clean: Tensor) -> Tensor:
    """12 times `mse`: the Golf Optimizer's content loss ||x - x~||^2 / M (Sec. 5.2) of pictures in [-1, 1].

    M counts pixels, so squares add up over three channels, and each is four times that of pictures in [0, 1]. With it
    a perceptual loss has the weight beside it that the paper's lambda means.
    """
    return 12 * mse(output, clean)


def psnr(output: Tensor, clean: Tensor, floor: float = 1e-5) -> Tensor:
    """Negative PSNR over ten: log10 of each picture's mean square error, averaged over the batch.

    `floor` is added to every error so that pictures that are right already (undamaged ones) do not outweigh
    the rest: 1e-5 stands for 50 dB. HINet and NAFNet (Chen et al., 2021 and 2022) use it without a floor.
    """
    error = (output - clean).square().mean(dim=(1, 2, 3))  # (B,)
    return torch.log10(error + floor).mean()


LOSSES: dict[str, Loss] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "psnr": psnr,
    "golf_content": golf_content,
}
