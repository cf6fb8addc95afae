"""Pictures that nobody photographed: pages of text, charts, flat drawings, and captions on photographs.

They are drawn with a seed, so that an examiner learns from a folder of photographs alone that sharp strokes on flat
ground are no damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

FINER = 2
"""Drawings are made this much larger and reduced, which smooths their edges; every third stays jagged."""

_LETTERS = "abcdefghijklmnopqrstuvwxyzabcdeilnorstueABCDEFGHIKLMNOPRSTW0123456789"

Colour = tuple[int, int, int]


def drawing(height: int, width: int, draw: np.random.Generator) -> Tensor:
    """A page, a chart or a flat drawing, `(3, height, width)` in [0, 1]."""
    fine = 1 if draw.random() < 1 / 3 else FINER
    ground, ink = _colours(draw)
    canvas = Image.new("RGB", (width * fine, height * fine), ground)
    subjects: Sequence[Callable[..., None]] = (_page, _chart, _shapes)
    subjects[int(draw.integers(len(subjects)))](ImageDraw.Draw(canvas), canvas.size, fine, ink, draw)
    return _tensor(canvas.resize((width, height), Image.Resampling.BOX))


def captioned(picture: Tensor, draw: np.random.Generator) -> Tensor:
    """A photograph `(3, H, W)` with one or two lines written on it, with or without a bar behind them."""
    _, height, width = picture.shape
    canvas = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
    size = max(9, round(height * draw.uniform(0.04, 0.1)))
    top = int(draw.choice([height * 0.05, height * 0.8]))
    pen = ImageDraw.Draw(canvas)
    light = draw.random() < 0.5
    if draw.random() < 0.5:
        pen.rectangle((0, top - size // 3, width, top + 3 * size), fill=(0, 0, 0) if light else (255, 255, 255))
    for line in range(int(draw.integers(1, 3))):
        text = _words(draw, max(8, int(1.2 * width / size)))
        pen.text((size, top + 1.3 * size * line), text, (255,) * 3 if light else (0,) * 3, _font(size))
    return _tensor(canvas)


def _page(pen: ImageDraw.ImageDraw, size: tuple[int, int], fine: int, ink: Colour, draw: np.random.Generator) -> None:
    """Lines of text below a heading, with indents and empty lines."""
    width, height = size
    letter = int(draw.integers(8, 20)) * fine
    margin = letter * float(draw.uniform(0.5, 3.0))
    y = margin
    pen.text((margin, y), _words(draw, int(width / letter)), ink, _font(2 * letter))
    y += 3 * letter
    while y < height - letter:
        if draw.random() > 0.15:
            length = int((width - 2 * margin) / letter * 2 * (1 if draw.random() < 0.7 else draw.uniform(0.2, 1.0)))
            pen.text((margin, y), _words(draw, max(4, length)), ink, _font(letter))
        y += letter * 1.4


def _chart(pen: ImageDraw.ImageDraw, size: tuple[int, int], fine: int, ink: Colour, draw: np.random.Generator) -> None:
    """Axes with a grid, bars or curves, and labels."""
    width, height = size
    left, right, top, bottom = width * 0.12, width * 0.95, height * 0.1, height * 0.85
    letter = int(draw.integers(8, 14)) * fine
    for k in range(6):
        y = bottom - (bottom - top) * k / 5
        pen.line((left, y, right, y), fill=(190, 190, 190), width=fine)
        pen.text((left - 3 * letter, y - letter / 2), str(20 * k), ink, _font(letter))
    count = int(draw.integers(5, 14))
    xs = np.linspace(left, right, count + 1)
    if draw.random() < 0.5:
        for x in xs[:-1]:
            y = bottom - (bottom - top) * draw.random()
            pen.rectangle((x + 4 * fine, y, x + 0.7 * (right - left) / count, bottom), fill=_colour(draw))
    else:
        for _ in range(int(draw.integers(1, 4))):
            ys = bottom - (bottom - top) * draw.random(count + 1)
            pen.line([*zip(xs.tolist(), ys.tolist(), strict=True)], fill=_colour(draw), width=2 * fine)
    pen.line((left, top, left, bottom, right, bottom), fill=ink, width=2 * fine)
    pen.text((left, bottom + letter), _words(draw, 30), ink, _font(letter))


def _shapes(pen: ImageDraw.ImageDraw, size: tuple[int, int], fine: int, ink: Colour, draw: np.random.Generator) -> None:
    """Flat or outlined ellipses, polygons and strokes, as in comics and maps."""
    width, height = size
    for _ in range(int(draw.integers(10, 60))):
        x, y = float(draw.uniform(0, width)), float(draw.uniform(0, height))
        reach = float(draw.uniform(0.02, 0.25)) * min(size)
        filled: dict[str, Any] = {"fill": _colour(draw)} if draw.random() < 0.7 else {}
        outline: dict[str, Any] = {"outline": ink, "width": int(draw.integers(1, 4)) * fine}
        form = draw.random()
        if form < 0.35:
            pen.ellipse((x - reach, y - reach * 0.6, x + reach, y + reach * 0.6), **filled, **outline)
        elif form < 0.7:
            corners = np.add(draw.uniform(-reach, reach, (int(draw.integers(3, 7)), 2)), (x, y))
            pen.polygon([tuple(corner) for corner in corners.tolist()], **filled, **outline)
        else:
            path = np.add(np.cumsum(draw.uniform(-reach, reach, (int(draw.integers(2, 9)), 2)), axis=0), (x, y))
            pen.line([tuple(point) for point in path.tolist()], fill=ink, width=int(draw.integers(1, 5)) * fine)


def _colours(draw: np.random.Generator) -> tuple[Colour, Colour]:
    """Ground and ink that stand out against each other."""
    pale = _triple(255 - draw.integers(0, 60, 3) * (draw.random() < 0.6))
    deep = _triple(draw.integers(0, 90, 3) * (draw.random() < 0.6))
    return (pale, deep) if draw.random() < 0.7 else (deep, pale)


def _colour(draw: np.random.Generator) -> Colour:
    return _triple(draw.integers(0, 256, 3))


def _triple(values: NDArray[np.integer]) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def _words(draw: np.random.Generator, length: int) -> str:
    """Made-up words of about so many letters."""
    words = []
    while sum(map(len, words)) + len(words) < length:
        letters = draw.integers(len(_LETTERS), size=int(draw.integers(1, 10)))
        words.append("".join(_LETTERS[letter] for letter in letters))
    return " ".join(words)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _tensor(canvas: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(canvas).copy()).permute(2, 0, 1).float() / 255  # (3, H, W)
