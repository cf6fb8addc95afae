"""`unblemish check-data`: is a folder fit for training?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check_data(
    folder: Annotated[Path, typer.Argument(help="Folder of clean pictures.")],
    patch: Annotated[int, typer.Option(help="Side of the training patches, pixels.")] = 128,
) -> None:
    """Read every picture of a training folder and list those that cannot be used."""
    from unblemish.commands.extras import needs_extra
    from unblemish.pictures.folders import find_pictures

    with needs_extra("train"):
        from unblemish.training.data import PatchSource

    source = PatchSource(find_pictures(folder), patch=patch, scales=(1.0,), memory=0)
    for line in source.broken.values():
        typer.echo(f"cannot be used: {line}")
    typer.echo(f"{folder}: {len(source)} pictures can be used, {len(source.broken)} cannot.")
    if source.broken:
        raise typer.Exit(1)
