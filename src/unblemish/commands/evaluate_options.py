"""Options of `unblemish evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_PREPARATION = "Pictures"

Folder = Annotated[
    Path,
    typer.Argument(
        help="Clean pictures; or pairs in subfolders such as hazy and clear, in one place or in each scene."
    ),
]
Degradations = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="NAME[:PARAMETER=VALUE,...]",
        help="Damage, such as gaussian_noise:sigma=25; 'clean' for none, 'grids' for the eleven of GRIDS.",
    ),
]
Sampled = Annotated[bool, typer.Option("--sampled", help="Draw the parameters of damage that is named without any.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the damage.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many pictures.")]

Gray = Annotated[
    bool, typer.Option("--gray", help="Turn pictures to gray before the damage.", rich_help_panel=_PREPARATION)
]
Multiple = Annotated[
    int | None,
    typer.Option(
        "--multiple",
        metavar="PIXELS",
        min=1,
        help="Crop damaged pictures about their centre to sides that are multiples of this.",
        rich_help_panel=_PREPARATION,
    ),
]
Patches = Annotated[
    int | None,
    typer.Option(
        "--patches",
        metavar="PIXELS",
        min=1,
        help="Cut such a crop into squares of this side, each restored and scored on its own.",
        rich_help_panel=_PREPARATION,
    ),
]
Rounding = Annotated[
    Literal["nearest", "truncated", "none"],
    typer.Option(
        "--rounding",
        help="Of damaged pictures: to the nearest level of 8 bits, to the next lower one, or none.",
        rich_help_panel=_PREPARATION,
    ),
]

Networks = Annotated[
    list[str] | None,
    typer.Option("--network", help="Networks of the bundle; 'auto', the default, lets an examination choose."),
]
SelfEnsemble = Annotated[
    bool,
    typer.Option(
        "--self-ensemble", help="Average each network over the eight orientations of a picture; 8 x the time."
    ),
]
Classical = Annotated[
    list[str] | None,
    typer.Option("--classical", help="Classical tools to compare with, such as median; 'all' for all."),
]
Protocols = Annotated[list[str] | None, typer.Option("--protocol", help="rgb, y, y_crop4, lira, gray, clearer.")]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="psnr, ssim, lpips, ...")]
AlexNet = Annotated[Path | None, typer.Option("--alexnet", help="AlexNet weights for lpips.")]
Outputs = Annotated[
    list[Path] | None, typer.Option("--output", "-o", help="Also write .json, .csv or .md; may be repeated.")
]
Sheet = Annotated[
    Path | None, typer.Option("--contact-sheet", help="Also write one sample of each damage as a picture.")
]
