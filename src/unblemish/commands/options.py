"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_PICTURES, _WEIGHTS = "Pictures", "Network"

Inputs = Annotated[
    list[Path] | None,
    typer.Argument(metavar="INPUT", help="Pictures, folders of pictures, or - for standard input."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for the results, a file for a single picture, or - for standard output. By default "
        "results stand beside their inputs, under a longer name.",
        rich_help_panel=_PICTURES,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        help="Write png, jpeg, tiff, webp, bmp or avif; by default the format of the input.",
        rich_help_panel=_PICTURES,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        help="Of JPEG, WebP and AVIF; by default that of the input.",
        rich_help_panel=_PICTURES,
    ),
]
Subsampling = Annotated[
    Literal["4:4:4", "4:2:0"],
    typer.Option(help="Chroma of JPEG and AVIF.", rich_help_panel=_PICTURES),
]
StripMetadata = Annotated[
    bool,
    typer.Option("--strip-metadata", help="Leave out EXIF, XMP and resolution.", rich_help_panel=_PICTURES),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Make existing results anew; originals are never touched.",
        rich_help_panel=_PICTURES,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Refuse pictures of more pixels; by default 500 million.",
        rich_help_panel=_PICTURES,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what failed.")]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...", help="Changes to the recipe, such as data.folder=photos steps=2000."),
]

Pairs = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--pairs",
        metavar="DAMAGED CLEAN",
        help="Names of two folders side by side, in the folder or below it, such as blur sharp.",
    ),
]

BundleFolder = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        help="Folder or packed file of a bundle, or weights of a training; by default the bundle that ships.",
        rich_help_panel=_WEIGHTS,
    ),
]
NetworkName = Annotated[
    str | None,
    typer.Option("--network", help="Network of the bundle; by default its default one.", rich_help_panel=_WEIGHTS),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.", rich_help_panel=_WEIGHTS)]
Accelerator = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Precision = Annotated[str, typer.Option("--precision", help="auto, float32 or bfloat16.", rich_help_panel=_WEIGHTS)]
