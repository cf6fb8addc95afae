"""Draws what a bundle makes of damage before and after it has learnt it by `unblemish grow`, and what it calls it.

    python recipes/growth_sheet.py my.bundle grown.bundle haze photos/*.jpg -o docs/images/learnt_haze.jpg

Each photograph is damaged whole, with parameters that follow from its name; findings and PSNR stand below.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from replay_sheet import damaged, decibels

import unblemish
from unblemish.evaluation.cases import load_rgb
from unblemish.evaluation.contact_sheets import SheetRow, check_sheet_ending, contact_sheet, save_sheet

COLUMNS = ("clean", "damaged", "before", "after")


def row(path: Path, damage: str, bundles: Sequence[Path], folder: Path) -> SheetRow:
    """One photograph.

    Args:
        path: Its file.
        damage: Name of the degradation.
        bundles: The one that grew, and the grown one.
        folder: For the damaged and the restored pictures.
    """
    clean = load_rgb(path)  # (1, 3, H, W)
    with torch.inference_mode():
        real = damaged(clean, damage, path.name)
    file = folder / f"{path.stem}.png"
    Image.fromarray(real[0].permute(1, 2, 0).mul(255).round().byte().numpy()).save(file)
    shown, captions = [clean, real], [path.stem, decibels(real, clean)]
    for number, bundle in enumerate(bundles):
        restored = folder / f"{path.stem}_{number}.png"
        finding = unblemish.examine(file, bundle=bundle).finding
        unblemish.write(unblemish.restore(file, bundle=bundle), restored)
        shown.append(load_rgb(restored))
        captions.append(f"{finding}: {decibels(shown[-1], clean)}")
    return SheetRow("", shown, captions)


def main(words: Sequence[str] | None = None) -> None:
    """Draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="that has grown")
    parser.add_argument("grown", type=Path, help="what it has become")
    parser.add_argument("damage", help="that it has learnt, by its name in `unblemish degrade --list`")
    parser.add_argument("photos", type=Path, nargs="+", help="files of clean pictures, a row each")
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args(words)
    check_sheet_ending(chosen.output)
    with tempfile.TemporaryDirectory() as folder:
        bundles = (chosen.bundle, chosen.grown)
        rows = [row(path, chosen.damage, bundles, Path(folder)) for path in chosen.photos]
    save_sheet(contact_sheet(COLUMNS, rows), chosen.output)


if __name__ == "__main__":
    try:
        main()
    except unblemish.UserError as error:
        sys.exit(str(error))
