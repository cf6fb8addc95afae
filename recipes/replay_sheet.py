"""Draws what a generator replays beside real damage: clean, really damaged, generated, and both as R restores them.

    python recipes/replay_sheet.py runs/lira_replay/random_seed0/best.safetensors photos/*.jpg \
        --restorer runs/lira_base/lira_seed0/final.safetensors -o docs/images/lira_replay_sheet.png

Pictures show the central square of each photograph, enlarged pixel by pixel so that noise stays visible.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unblemish.degradations.parsing import draw, parse
from unblemish.degradations.quantisation import rounded
from unblemish.degradations.seeding import picture_generator
from unblemish.errors import UserError
from unblemish.evaluation.cases import load_rgb
from unblemish.evaluation.contact_sheets import SheetRow, check_sheet_ending, contact_sheet, save_sheet
from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.lifelong.pseudo_samples import pseudo_pairs
from unblemish.networks.base import Network
from unblemish.networks.loading import load_described

PROTOCOL = preset("rgb")
COLUMNS = ("clean", "real", "generated", "real, restored", "generated, restored")
"""The last two where a restorer is given."""


def decibels(picture: Tensor, clean: Tensor) -> str:
    """PSNR by the protocol, as captions state it, of `(1, 3, H, W)` against the clean picture."""
    found = psnr(PROTOCOL.prepare(picture), PROTOCOL.prepare(clean)).clamp(max=PROTOCOL.psnr_ceiling)
    return f"{float(found):.2f} dB"


def damaged(clean: Tensor, damage: str, name: str) -> Tensor:
    """`(1, 3, H, W)` with real damage, at 8 bits; what is drawn follows from the photograph's name."""
    chance = picture_generator(0, damage, name)
    degradation, values = parse(damage)
    return rounded(degradation.apply(clean, draw(degradation, values, 1, chance), chance), "nearest")


def row(path: Path, damage: str, networks: Sequence[Network], crop: int, zoom: int) -> SheetRow:
    """One photograph.

    Args:
        path: Its file, at least `crop` pixels wide and high.
        damage: Name of the degradation that the generator replays; what is drawn follows from the photograph's name.
        networks: The generator, and R where there is one; in evaluation mode.
        crop: Side of what is shown, pixels.
        zoom: Times that each pixel is repeated.

    Raises:
        UserError: The photograph is smaller.
    """
    whole = load_rgb(path)
    top, left = ((side - crop) // 2 for side in whole.shape[-2:])
    if min(top, left) < 0:
        raise UserError(f"{path}: smaller than {crop} pixels; leave it out, or lower --crop")
    clean = whole[..., top : top + crop, left : left + crop]  # (1, 3, crop, crop)
    generator, restorer = networks[0], networks[-1]
    with torch.inference_mode():
        real = damaged(clean, damage, path.name)
        generated, restored = pseudo_pairs(generator, restorer, clean)
        shown = [real, generated]
        if restorer is not generator:
            shown += [restorer(real).float(), restored]
    captions = [path.stem, *(decibels(one, clean) for one in shown)]
    return SheetRow(
        "", [one.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2) for one in (clean, *shown)], captions
    )


def main(words: Sequence[str] | None = None) -> None:
    """Draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path, help="weights of a training with lifelong.stage=replay")
    parser.add_argument("photos", type=Path, nargs="+", help="files of clean pictures, a row each")
    parser.add_argument("--restorer", type=Path, help="weights of R")
    parser.add_argument("--damage", default="moderate_blend", help="of the real pictures")
    parser.add_argument("--crop", type=int, default=96, help="side of the central square that is shown, pixels")
    parser.add_argument("--zoom", type=int, default=2, help="times that each pixel is repeated")
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(words)
    check_sheet_ending(chosen.output)
    networks = [load_described(path).eval() for path in (chosen.generator, chosen.restorer) if path]
    rows = [row(path, chosen.damage, networks, chosen.crop, chosen.zoom) for path in chosen.photos]
    columns = COLUMNS if chosen.restorer else COLUMNS[:3]
    save_sheet(contact_sheet(columns, rows, chosen.crop * chosen.zoom), chosen.output)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
