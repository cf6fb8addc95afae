"""`unblemish check-data`: is a folder fit for training?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unblemish.commands import options
from unblemish.commands.extras import needs_extra


def check_data(
    folder: Annotated[Path, typer.Argument(help="Folder of clean pictures, or of pairs.")],
    patch: Annotated[int, typer.Option(help="Side of the training patches, pixels.")] = 128,
    pairs: options.Pairs = None,
) -> None:
    """Read every picture of a training folder, or every pair, and list those that cannot be used."""
    from unblemish.pictures.folders import find_pictures
    from unblemish.pictures.pairs import find_pairs

    with needs_extra("train"):
        from unblemish.training.data import PatchSource

    sources = find_pairs(folder, pairs) if pairs else find_pictures(folder)
    source = PatchSource(sources, patch=patch, scales=(1.0,), memory=0)
    for line in source.broken.values():
        typer.echo(f"cannot be used: {line}")
    typer.echo(f"{folder}: {len(source)} {'pairs' if pairs else 'pictures'} can be used, {len(source.broken)} cannot.")
    if source.broken:
        raise typer.Exit(1)
