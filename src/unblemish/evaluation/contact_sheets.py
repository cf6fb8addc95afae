"""Contact sheets: clean, damaged and restored pictures side by side, a row for each kind of damage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from unblemish.evaluation.cases import Case, CaseSet
from unblemish.evaluation.errors import EvaluationError
from unblemish.evaluation.metrics import psnr
from unblemish.evaluation.protocol import preset
from unblemish.evaluation.scoring import Method, of_full_size

_GAP, _TEXT, _LABEL = 4, 13, 110
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row of a sheet.

    Attributes:
        label: What stands before it.
        pictures: `(1, 3, H, W)` float, [0, 1], one for each column; None leaves a place empty.
        captions: What stands below each picture.
    """

    label: str
    pictures: Sequence[Tensor | None]
    captions: Sequence[str]


def sheet_rows(case_sets: Sequence[CaseSet], methods: Sequence[Method], crop: int | None = None) -> list[SheetRow]:
    """The first usable picture of each set, clean, damaged (enlarged if need be) and as each suited method restores it.

    Args:
        case_sets: One row each; sets without a usable picture are left out.
        methods: One column each, after "clean" and "damaged".
        crop: Show only the central square of this many pixels, so that details stay visible.

    Returns:
        Rows for `contact_sheet`, captioned with the RGB PSNR of the whole picture.
    """
    rows: list[SheetRow] = []
    for cases in case_sets:
        case = next((case for case in cases if isinstance(case, Case)), None)
        if case is None:
            continue
        with torch.inference_mode():
            restored = [m.restored(cases, case.damaged.clone()) if m.suits(cases) else None for m in methods]
        shown = [of_full_size(case), *restored]
        captions = ["" if x is None else _decibels(x, case.clean) for x in shown]
        pictures = [None if x is None else _centre(x, crop) for x in (case.clean, *shown)]
        rows.append(SheetRow(cases.title, pictures, [case.name, *captions]))
    return rows


def contact_sheet(columns: Sequence[str], rows: Sequence[SheetRow], width: int = 240) -> Image.Image:
    """Draws the sheet.

    Args:
        columns: Headings.
        rows: What to show, each with as many pictures and captions as there are headings.
        width: Width of each picture in pixels; pictures are reduced to it, never enlarged.

    Returns:
        An RGB picture.

    Raises:
        ValueError: There is no row, or a row does not fit the headings.
    """
    if not rows or any(not len(r.pictures) == len(r.captions) == len(columns) for r in rows):
        raise ValueError("a sheet needs rows, each with a picture and a caption for every column")
    cells = [[None if p is None else _reduced(p, width) for p in row.pictures] for row in rows]
    line = _TEXT + 2 * _GAP
    heights = [max(c.height for c in row if c is not None) + line for row in cells]
    size = (_LABEL + len(columns) * (width + _GAP) + _GAP, line + sum(heights) + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_TEXT)
    lefts = [_LABEL + _GAP + i * (width + _GAP) for i in range(len(columns))]
    for left, heading in zip(lefts, columns, strict=True):
        draw.text((left, _GAP), _fitting(heading, width, font), fill="black", font=font)
    top = line
    for row, pictures, height in zip(rows, cells, heights, strict=True):
        for number, word in enumerate(row.label.split()):
            draw.text(
                (_GAP, top + number * (_TEXT + 3)),
                _fitting(word, _LABEL - _GAP, font),
                fill="black",
                font=font,
            )
        for left, picture, caption in zip(lefts, pictures, row.captions, strict=True):
            if picture is not None:
                sheet.paste(picture, (left, top))
                place = (left, top + picture.height + 2)
                draw.text(place, _fitting(caption, width, font), fill="black", font=font)
        top += height
    return sheet


def check_sheet_ending(path: Path) -> None:
    """Complains of a file that would be no picture.

    Raises:
        EvaluationError: The ending is not that of PNG, JPEG or WebP.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise EvaluationError(f"{path}: a contact sheet is written as one of {', '.join(_SUFFIXES)}; rename it so")


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Writes a sheet as PNG, JPEG or WebP, as the suffix says.

    Raises:
        EvaluationError: The suffix is another one, or the file cannot be written.
    """
    check_sheet_ending(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, quality=90)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def _decibels(picture: Tensor, clean: Tensor) -> str:
    rgb = preset("rgb")
    return f"{float(psnr(rgb.prepare(picture), rgb.prepare(clean)).clamp(max=rgb.psnr_ceiling)):.2f} dB"


def _centre(picture: Tensor, crop: int | None) -> Tensor:
    if crop is None:
        return picture
    top, left = (max(0, (side - crop) // 2) for side in picture.shape[-2:])
    return picture[..., top : top + crop, left : left + crop]


def _reduced(picture: Tensor, width: int) -> Image.Image:
    values = picture.float().clamp(0, 1).mul(255).round().byte()[0].permute(1, 2, 0)  # (H, W, 3)
    image = Image.fromarray(values.cpu().contiguous().numpy())
    if image.width <= width:
        return image
    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut to a width in pixels."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
