r"""Measures which reading of the Golf Optimizer's losses has the size that the paper reports.

    python recipes/golf_loss_scale.py ../shared/data/train -o results/golf_loss_scale.json \
        --damage motion_blur motion_blur:length=7 motion_blur:length=4

The paper (Sec. 5.2 and 6.1) adds L_c = ||x - x~||^2 / M and lambda L_p, L_p = ||P(x) - P(x~)||^2 / (w h d), and says
that lambda = 5e-6 brings both into [1e-2, 1e-1]. It does not say what range pictures have, nor what P, a VGG, sees.
Both terms are measured between the middles of photographs and their blurred copies: blurred strongly, as where a
training may start, and by 4 pixels, which has the PSNR of what the paper's training ends with. L_c is measured for
pictures in [-1, 1] and in [0, 1], lambda L_p as the mean that is printed and as a sum over a picture's feature map, P
seeing pictures in [-1, 1], in [0, 1], or with ImageNet's mean and deviation taken out. Where there is no VGG-11 with
batch normalisation (UNBLEMISH_VGG11_BN), the fifth pooling of another VGG stands in; the result says which. At the
28.06 dB that the paper reaches, L_c follows from the PSNR.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor

from unblemish.deconvolution.perceptual import PUBLISHED, PerceptualLoss
from unblemish.evaluation.cases import load_rgb
from unblemish.evaluation.provenance import provenance, write_result
from unblemish.networks.vgg import VARIABLES, find_weights
from unblemish.pictures.folders import find_pictures
from unblemish.training.embeddings import Embedding, Published, vgg_embedding
from unblemish.training.losses import LOSSES
from unblemish.training.perceptual_part import PerceptualPart
from unblemish.training.synthesis import Synthesis

RANGE = (1e-2, 1e-1)
"""Where the paper says that both terms lie (Sec. 6.1)."""

WEIGHT: float = PerceptualPart().weight
"""lambda."""

PSNR = 28.06
"""What the paper reaches on GoPro (Sec. 6.2), dB."""

MARGIN = 64
"""Pixels around the middle that are blurred with it."""

REDUCTIONS: tuple[Literal["mean", "sum"], ...] = ("mean", "sum")


def middles(folder: Path, count: int, side: int, seed: int) -> list[Tensor]:
    """Middles of `count` photographs drawn from a folder: `(1, 3, H, W)`, `side` pixels and up to `MARGIN` around."""
    paths = find_pictures(folder)
    random.Random(seed).shuffle(paths)
    found: list[Tensor] = []
    for path in paths:
        clean = load_rgb(path)
        if min(clean.shape[-2:]) >= side:
            found.append(middle(clean, side + 2 * MARGIN).clone())  # without the rest of the picture
        if len(found) == count:
            return found
    raise SystemExit(f"{folder}: has {len(found)} pictures of {side} pixels, not {count}; give fewer with --pictures")


def middle(pictures: Tensor, side: int) -> Tensor:
    """Up to `side` pixels around the middle, in both directions."""
    top, left = (max(0, (length - side) // 2) for length in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]


def embeddings() -> dict[str, Embedding]:
    """P by what it sees: as published, else another VGG."""
    name = next((name for name in (PUBLISHED.network, *VARIABLES) if find_weights(name)), PUBLISHED.network)
    return {
        seen: vgg_embedding(Published(name, PUBLISHED.layers, normalise=normalise, signed=signed))
        for seen, normalise, signed in (("-1 to 1", False, True), ("0 to 1", False, False), ("imagenet", True, False))
    }


@torch.inference_mode()
def measure(photos: list[Tensor], damage: str, side: int, seed: int, found: dict[str, Embedding]) -> dict[str, Any]:
    """Both terms of the loss under each reading, for one damage, and its PSNR."""
    synthesis = Synthesis([damage])
    rows: dict[str, list[float]] = {}
    for number, photo in enumerate(photos):
        blurred, clean = (middle(x, side) for x in (synthesis(photo, seed + number), photo))
        mse = float(LOSSES["mse"](blurred, clean))
        values = {"content, 0 to 1": 3 * mse, "content, -1 to 1": float(LOSSES["golf_content"](blurred, clean))}
        for reduction in REDUCTIONS:
            for seen, embedding in found.items():
                loss = float(PerceptualLoss(embedding, reduction)(blurred, clean))
                values[f"perceptual, {reduction}, {seen}"] = WEIGHT * loss
        for reading, value in {"psnr": -10 * math.log10(mse), **values}.items():
            rows.setdefault(reading, []).append(value)
    readings = {reading: summary(values) for reading, values in rows.items() if reading != "psnr"}
    return {"psnr": fmean(rows["psnr"]), "readings": readings, "fitting": fitting(readings)}


def summary(values: list[float]) -> dict[str, float]:
    """The mean over pictures and their spread, and the share of them in the paper's range."""
    share = fmean(RANGE[0] <= value <= RANGE[1] for value in values)
    return {"mean": fmean(values), "least": min(values), "most": max(values), "share_in_range": share}


def fitting(readings: dict[str, dict[str, float]]) -> list[str]:
    """The readings whose mean is in the paper's range."""
    return [reading for reading, row in readings.items() if RANGE[0] <= row["mean"] <= RANGE[1]]


def main() -> None:
    """Reads the command line, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--damage", nargs="+", default=["motion_blur"], help="of the catalogue; also name:parameter=1")
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--side", type=int, default=256, help="of the middle that is measured, pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    began = time.monotonic()
    found = embeddings()
    photos = middles(arguments.folder, arguments.pictures, arguments.side, arguments.seed)
    rows = {name: measure(photos, name, arguments.side, arguments.seed, found) for name in arguments.damage}
    at_the_end = {"content, 0 to 1": 3 * 10 ** (-PSNR / 10), "content, -1 to 1": 12 * 10 ** (-PSNR / 10)}
    seconds = time.monotonic() - began
    content = {
        "provenance": provenance(["python", *sys.argv], [arguments.seed], seconds),
        "embedding": found["0 to 1"].facts,
        "weight": WEIGHT,
        "range": RANGE,
        "pictures": arguments.pictures,
        "side": arguments.side,
        "damages": rows,
        "at_the_end": {"psnr": PSNR, **at_the_end},
        "fitting": [
            reading
            for reading in next(iter(rows.values()))["readings"]
            if all(reading in row["fitting"] for row in rows.values())
        ],
    }
    write_result(arguments.output, content)


if __name__ == "__main__":
    main()
